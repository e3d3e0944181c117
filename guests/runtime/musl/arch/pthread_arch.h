/*
 * Where a thread finds its descriptor: through a thread-local variable, because the thread pointer itself is each ISA's own.
 */
extern _Thread_local __attribute__((tls_model("local-exec"))) uintptr_t __kettle_descriptor_at;

static inline uintptr_t __get_tp(void)
{
    return __kettle_descriptor_at;
}

#define MC_PC gregs[REG_RIP]
