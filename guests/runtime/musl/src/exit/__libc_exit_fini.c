/*
 * What exit() runs after the registered handlers: nothing. Programs have no destructors (kettle-cc refuses them).
 */
void __libc_exit_fini(void)
{
}
