/*
 * migrate() as programs for Popcorn's libmigrate call it: <migrate.h>.
 */
#include <kettle.h>
#include <stdio.h>
#include <string.h>

/* A program's own name for these is that of <migrate.h>; see there. */
void __kettle_popcorn_migrate(int nid, void (*callback)(void *), void *argument)
{
    if (nid == current_nid())
        return;
    int error = migrate(nid);
    if (error < 0) {
        fprintf(stderr, "Could not migrate to node: %s\n", strerror(-error));
        return;
    }
    if (callback)
        callback(argument);
}

void __kettle_popcorn_check_migrate(void (*callback)(void *), void *argument)
{
    struct popcorn_thread_status status;
    if (get_thread_status(&status) < 0 || status.proposed_nid < 0 || status.proposed_nid == status.current_nid)
        return;
    __kettle_popcorn_migrate(status.proposed_nid, callback, argument);
}
