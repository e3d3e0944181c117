/*
 * Does nothing, successfully: what start and end of a program cost.
 */
int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
