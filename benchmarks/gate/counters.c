/* What Python cannot count by itself: allocations, and under valgrind the point from which to count. */
#include <Python.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
const char counts[] = "from here on"; /* valgrind may be told to count nothing before */
#else
#define CALLGRIND_START_INSTRUMENTATION
#endif

static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
static PyMemAllocatorEx before[3];
static unsigned long long blocks;

static void *counted_malloc(void *own, size_t size)
{
    const PyMemAllocatorEx *to = own;
    blocks++;
    return to->malloc(to->ctx, size);
}

static void *counted_calloc(void *own, size_t count, size_t size)
{
    const PyMemAllocatorEx *to = own;
    blocks++;
    return to->calloc(to->ctx, count, size);
}

static void *counted_realloc(void *own, void *block, size_t size)
{
    const PyMemAllocatorEx *to = own;
    blocks++;
    return to->realloc(to->ctx, block, size);
}

static void passed_free(void *own, void *block)
{
    const PyMemAllocatorEx *to = own;
    to->free(to->ctx, block);
}

/* Until here valgrind runs the program several times as fast. */
void instrumentation_begin(void) { CALLGRIND_START_INSTRUMENTATION; }

/* The allocators are told by a counter put before each. The interpreter's lock must be held, as by ctypes.PyDLL. */
void allocations_begin(void)
{
    for (int i = 0; i < 3; i++) {
        PyMem_GetAllocator(domains[i], &before[i]);
        PyMemAllocatorEx counting = {&before[i], counted_malloc, counted_calloc, counted_realloc, passed_free};
        PyMem_SetAllocator(domains[i], &counting);
    }
    blocks = 0;
}

unsigned long long allocations_end(void)
{
    unsigned long long counted = blocks;
    for (int i = 0; i < 3; i++)
        PyMem_SetAllocator(domains[i], &before[i]);
    return counted;
}
