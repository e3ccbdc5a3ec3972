/* The tables of coefficients, and which pair of rates each serves. */
#include "fir.h"

#include "fir_tables.h"

const fir_table *fir_find(uint32_t in_rate_hz, uint32_t out_rate_hz, fir_profile profile)
{
    for (size_t i = 0; i < sizeof FIR_CONVERSIONS / sizeof *FIR_CONVERSIONS; i++)
        if (FIR_CONVERSIONS[i].in_rate_hz == in_rate_hz && FIR_CONVERSIONS[i].out_rate_hz == out_rate_hz)
            return FIR_CONVERSIONS[i].by_profile[profile];
    return NULL;
}
