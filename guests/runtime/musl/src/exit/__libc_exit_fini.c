/*
 * What exit() runs after the registered handlers: the program's destructors, from a table that does not depend on the ISA.
 */
/* guests/runtime/process.c */
void __kettle_run_destructors(void);

void __libc_exit_fini(void)
{
    __kettle_run_destructors();
}
