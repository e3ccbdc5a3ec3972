/* The choice of an instruction set at run time. */
#include "kernels.h"

#include <string.h>

#if defined(__x86_64__)
static const kernels *const SETS[] = {&kernels_avx2, &kernels_sse2, &kernels_portable};
#else
static const kernels *const SETS[] = {&kernels_portable};
#endif

static bool runs_here(const kernels *set)
{
#if defined(__x86_64__)
    if (set == &kernels_avx2)
        return __builtin_cpu_supports("avx2");
#endif
    (void)set;
    return true;
}

const kernels *kernels_at(size_t index)
{
    for (size_t i = 0; i < sizeof SETS / sizeof *SETS; i++)
        if (runs_here(SETS[i]) && index-- == 0)
            return SETS[i];
    return NULL;
}

const kernels *kernels_find(const char *name)
{
    const kernels *set;
    for (size_t i = 0; (set = kernels_at(i)) != NULL; i++)
        if (strcmp(name, set->name) == 0)
            return set;
    return NULL;
}

static const kernels *chosen_set = NULL;

const kernels *kernels_chosen(void) { return chosen_set != NULL ? chosen_set : kernels_at(0); }

void kernels_choose(const kernels *chosen) { chosen_set = chosen; }
