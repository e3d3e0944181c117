/*
 * Nodes and thread status: Popcorn's system calls as functions, and where check_migrate goes.
 */
#include <kettle.h>
#include <kettle/syscall.h>
#include <kettle/thread.h>

/* Read by native/<isa>/migrate.S at every arrival; in .data although it is 0, so that an arrival reads a page of .data. */
__attribute__((section(".data.__kettle_arrival_hook"))) void (*__kettle_arrival_hook)(void) = 0;

void on_arrival(void (*hook)(void))
{
    __kettle_arrival_hook = hook;
}

int propose_migration(int tid, int nid)
{
    int error = (int)kettle_syscall2(KETTLE_SYS_popcorn_propose_migration, tid, nid);
    if (error == 0)
        __kettle_raise_all();
    return error;
}

int get_thread_status(struct popcorn_thread_status *status)
{
    return (int)kettle_syscall1(KETTLE_SYS_popcorn_get_thread_status, status);
}

int node_info(struct popcorn_node_status nodes[MAX_POPCORN_NODES])
{
    int nid;
    int error = (int)kettle_syscall2(KETTLE_SYS_popcorn_get_node_info, &nid, nodes);
    return error < 0 ? error : nid;
}

int current_nid(void)
{
    struct popcorn_thread_status status;
    int error = get_thread_status(&status);
    return error < 0 ? error : status.current_nid;
}

bool node_available(int nid)
{
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    return nid >= 0 && nid < MAX_POPCORN_NODES && node_info(nodes) >= 0 && nodes[nid].status == 1;
}

int __kettle_go_as_proposed(void)
{
    struct popcorn_thread_status status;
    int error = get_thread_status(&status);
    if (error < 0)
        return error;
    if (status.proposed_nid < 0 || status.proposed_nid == status.current_nid)
        return 0;
    return migrate(status.proposed_nid);
}

int check_migrate(void)
{
    __kettle_count_point();
    return __kettle_go_as_proposed();
}

long migration_arrivals(void)
{
    return __kettle_self.arrivals;
}
