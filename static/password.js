// Beside each password a button that shows it. Without this file the fields are as they are.
"use strict";
document.querySelectorAll("input[type=password]").forEach(function (field) {
	const button = document.createElement("button");
	function show(isShown) {
		field.type = isShown ? "text" : "password";
		button.textContent = isShown ? "Hide" : "Show";
		button.setAttribute("aria-label", button.textContent + " the password");
	}
	button.type = "button";
	button.className = "reveal";
	button.addEventListener("click", function () {
		show(field.type === "password");
		field.focus();
	});
	field.after(button);
	field.form.addEventListener("submit", function () { show(false); }); // browsers remember passwords alone
	show(false);
});
