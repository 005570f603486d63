/* SPDX-License-Identifier: ISC */
/*
 * What time it is.  Deadlines use the monotonic clock, tokens the wall clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t	clock_mono_ms(void);	/* since some moment in the past; never jumps */
int64_t		clock_wall_ms(void);	/* since 1970 */

#endif
