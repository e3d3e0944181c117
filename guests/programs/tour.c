/*
 * Visits every node and comes home, and says where it is: the one program whose output tells the cluster. For demonstrations.
 */
#include <kettle.h>
#include <stdio.h>

static const char *isa_name(void)
{
    return current_arch() == POPCORN_ARCH_AARCH64 ? "aarch64" : "x86_64";
}

static long stops;

static void visit(int nid)
{
    int error = migrate(nid);
    if (error) {
        printf("no way to node %d (error %d)\n", nid, -error);
        return;
    }
    stops++;
    printf("now on node %d (%s), stop %ld\n", current_nid(), isa_name(), stops);
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    int home = node_info(nodes);
    if (home < 0) {
        printf("here is no cluster: a single %s machine\n", isa_name());
        return 0;
    }
    printf("started on node %d (%s)\n", home, isa_name());
    for (int nid = 0; nid < MAX_POPCORN_NODES; nid++)
        if (nodes[nid].status == 1 && nid != home)
            visit(nid);
    if (current_nid() != home)
        visit(home);
    printf("travelled %ld times\n", migration_arrivals());
    return 0;
}
