/* Room for growing arrays: doubled, so that a phone that is kept for an hour is not copied at every frame. */
#ifndef RELAY_BENCH_GROW_H
#define RELAY_BENCH_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* Returns the items with room for `need` of them, or NULL when there is no memory; the old ones are then as before. */
static inline void *grow(void *items, size_t *room, size_t need, size_t item_bytes)
{
    if (need <= *room)
        return items;
    size_t more = *room ? *room : 64;
    while (more < need)
        more *= 2;
    void *moved = realloc(items, more * item_bytes);
    if (moved != NULL)
        *room = more;
    return moved;
}

#endif
