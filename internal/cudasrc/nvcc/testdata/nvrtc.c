// nvrtc library source cubin option…: compiles a file with NVRTC, as programs do.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *lib;

static void *symbol(const char *name) {
	void *f = dlsym(lib, name);
	if (f == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return f;
}

int main(int argc, char **argv) {
	if (argc < 4 || (lib = dlopen(argv[1], RTLD_NOW)) == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 2;
	}
	FILE *f = fopen(argv[2], "r");
	if (f == NULL) return 2;
	fseek(f, 0, SEEK_END);
	size_t n = ftell(f);
	rewind(f);
	char *text = calloc(1, n + 1);
	if (fread(text, 1, n, f) != n) return 2;
	fclose(f);
	void *p;
	if (((int (*)(void **, const char *, const char *, int, void *, void *))symbol("nvrtcCreateProgram"))(&p, text, "kernel.cu", 0, NULL, NULL) != 0) return 2;
	int r = ((int (*)(void *, int, char **))symbol("nvrtcCompileProgram"))(p, argc - 4, argv + 4);
	((int (*)(void *, size_t *))symbol("nvrtcGetProgramLogSize"))(p, &n);
	char *log = calloc(1, n + 1);
	((int (*)(void *, char *))symbol("nvrtcGetProgramLog"))(p, log);
	fputs(log, stderr);
	if (r != 0) return 1;
	((int (*)(void *, size_t *))symbol("nvrtcGetCUBINSize"))(p, &n);
	char *code = malloc(n);
	((int (*)(void *, char *))symbol("nvrtcGetCUBIN"))(p, code);
	f = fopen(argv[3], "w");
	return f != NULL && fwrite(code, 1, n, f) == n && fclose(f) == 0 ? 0 : 2;
}
