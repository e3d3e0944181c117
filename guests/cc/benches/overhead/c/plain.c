/*
 * <kettle.h> for plainly compiled programs: every call answers as on a kernel without Popcorn.
 */
#include <errno.h>
#include <kettle.h>

int migrate(int nid)
{
    (void)nid;
    return -ENOSYS;
}

int check_migrate(void)
{
    return -ENOSYS;
}

int node_info(struct popcorn_node_status nodes[MAX_POPCORN_NODES])
{
    (void)nodes;
    return -ENOSYS;
}

long migration_arrivals(void)
{
    return 0;
}
