/*
 * A traveller visits every node and comes home: the program of the demonstration, whose output tells the cluster.
 *
 * The passport is a local variable of main(). Each border is crossed three calls deeper, and stamps it through a pointer: so the output is right
 * only if the call stack, the locals in it and pointers to them mean the same on both instruction sets.
 */
#include <kettle.h>
#include <stdio.h>

struct passport {
    int stamps;
    int node[MAX_POPCORN_NODES];
};

static const char *machine(void)
{
    return current_arch() == POPCORN_ARCH_AARCH64 ? "aarch64" : "x86_64";
}

static void stamp(struct passport *passport)
{
    passport->node[passport->stamps++] = current_nid();
}

__attribute__((noinline)) static int cross_border(struct passport *passport, int to)
{
    int from = current_nid();
    const char *left = machine();
    int error = migrate(to);
    if (error) {
        printf("  no way from node %d to node %d (error %d)\n", from, to, -error);
        return error;
    }
    stamp(passport);
    printf("  now on node %d (%s); I remember that I came from node %d (%s)\n", current_nid(), machine(), from, left);
    return 0;
}

__attribute__((noinline)) static int travel(struct passport *passport, int home)
{
    int refused = 0;
    for (int nid = 0; nid < MAX_POPCORN_NODES; nid++)
        if (nid != home && node_available(nid) && cross_border(passport, nid))
            refused++;
    if (current_nid() != home && cross_border(passport, home))
        refused++;
    return refused;
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct popcorn_node_status nodes[MAX_POPCORN_NODES];
    struct passport passport = {0};
    int home = node_info(nodes);
    if (home < 0) {
        printf("here is no cluster: a single %s machine\n", machine());
        return 0;
    }
    printf("main() starts on node %d (%s) with an empty passport\n", home, machine());
    int refused = travel(&passport, home);
    printf("main() is on node %d (%s), and its passport has %d stamps:", current_nid(), machine(), passport.stamps);
    for (int i = 0; i < passport.stamps; i++)
        printf(" node %d", passport.node[i]);
    printf("\n");
    return refused ? 1 : 0;
}
