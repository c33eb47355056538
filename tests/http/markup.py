"""What the tests of pages look at in markup."""
import re
import html.parser

from harness import equal, has, true

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "use", "wbr", "rect", "line", "polyline",
        "path", "circle"}


class Tags(html.parser.HTMLParser):
    """Elements must nest; ids must be unique; a control must have a name for people."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.ids, self.names, self.labels = [], [], set(), [], set()
        self.elements = []
        self.feed(text)
        self.close()
        self.wrong += ["<%s> is not closed" % t for t in self.open]
        self.wrong += ["%s has no label" % i for i in self.names if i not in self.labels]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if attrs.get("id") in self.ids and attrs.get("id"):
            self.wrong.append("id %s is there twice" % attrs["id"])
        self.ids.add(attrs.get("id"))
        if tag == "label" and "for" in attrs:
            self.labels.add(attrs["for"])
        if (tag in ("input", "select", "textarea") and "aria-label" not in attrs and
                attrs.get("type") not in ("hidden", "checkbox", "radio")):
            self.names.append(attrs.get("id"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append("</%s> within <%s>" % (tag, self.open[-1] if self.open else ""))
        else:
            self.open.pop()


def check_page(answer, status=200):
    """What holds for every page."""
    equal(answer.status, status, answer)
    equal(answer.header("Content-Type"), "text/html; charset=utf-8")
    policy = answer.header("Content-Security-Policy")
    for part in ("default-src 'none'", "style-src 'self'", "form-action 'self'",
                 "frame-ancestors 'none'", "base-uri 'none'"):
        has(policy, part)
    true("unsafe" not in policy, policy)
    equal(answer.header("X-Content-Type-Options"), "nosniff")
    equal(answer.header("Referrer-Policy"), "same-origin")
    equal(answer.header("Cache-Control"), "no-store")
    tags = Tags(answer.text)
    equal(tags.wrong, [])
    for tag, attrs in tags.elements:
        true(tag != "zz", answer.text[:2000])
        if tag == "script":     # our own file, whole: nothing between its tags
            true(re.fullmatch(r"/static/[a-z-]+\.js\?v=\w+", attrs.get("src", "")) and set(attrs) == {"src", "defer"}, attrs)
            has(answer.text, '<script src="%s" defer></script>' % attrs["src"])
        true(not any(a.startswith("on") or a == "style" for a in attrs), (tag, attrs))
        if tag == "form" and attrs.get("method") == "post":
            has(answer.text, 'name="_csrf"')
    return tags
