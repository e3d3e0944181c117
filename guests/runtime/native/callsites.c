/*
 * Looking up a return address in the call-site table: binary search in the ids sorted for its ISA.
 */
#include "callsites.h"

const struct callsite *__kettle_callsite_find(int arch, uint64_t ra)
{
    const struct callsites *table = &__kettle_callsites;
    if (table->magic != CALLSITES_MAGIC || table->version != CALLSITES_VERSION)
        return 0;
    const uint32_t *by_ra = (const uint32_t *)&table->site[table->count] + (uint64_t)arch * table->count;
    uint32_t low = 0, high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct callsite *site = &table->site[by_ra[middle]];
        if (site->ra[arch] == ra)
            return site;
        if (site->ra[arch] < ra)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
