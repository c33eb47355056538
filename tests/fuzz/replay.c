/* main() of a fuzz target built without libFuzzer: runs the target once over every file named, or
 * found in a folder named, and prints how many there were. Options (-runs=0 …) are ignored, so that
 * both builds take the same command line. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

static void give_up(const char *what, const char *path)
{
	fprintf(stderr, "replay: %s %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static void run_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	/* Exactly the input's size, so that a sanitizer sees a read past its end. */
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (f == NULL || data == NULL)
		give_up("open", path);
	if (fread(data, 1, size, f) != size)
		give_up("read", path);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	inputs++;
}

static void run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		give_up("stat", path);
	if (!S_ISDIR(st.st_mode)) {
		run_file(path, (size_t)st.st_size);
		return;
	}
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		give_up("list", path);
	for (int i = 0; i < n; i++) {
		char child[4096];
		if (names[i]->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
			run_path(child);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	run_file("/dev/null", 0);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-')
			run_path(argv[i]);
	printf("%lu inputs\n", inputs);
	return 0;
}
