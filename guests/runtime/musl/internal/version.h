/* The version of musl, as its own makefile would write it here. */
#define VERSION "1.2.3"
