/* SPDX-License-Identifier: ISC */
/*
 * Words for what the compiler can check for us.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define MUST_USE	 __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NO_RETURN	 __attribute__((noreturn))
#define UNUSED		 __attribute__((unused))
#define RARE		 __attribute__((cold, noinline))	/* kept out of the way of what is usual */
#define NO_INLINE	 __attribute__((noinline))	/* its registers are not its callers' concern */

/*
 * Code for a processor with AVX2, which is compiled for any x86-64 and to be called only where
 * HAS_AVX2() says so.  FOR_SSE2 is code for whatever has SSE2, which any x86-64 has.  Either can
 * be left out, so that tests see what other processors do.
 */
#if defined(__SSE2__) && !defined(WITHOUT_SSE2)
#define FOR_SSE2
#endif
#if defined(__x86_64__) && defined(FOR_SSE2) && !defined(WITHOUT_AVX2)
#define FOR_AVX2	 __attribute__((target("avx2")))
#define HAS_AVX2()	 __builtin_cpu_supports("avx2")
#endif

#define ARRAY_LEN(a)	 (sizeof(a) / sizeof((a)[0]))

/* The object of this type whose named field is at this address. */
#define CONTAINER_OF(ptr, type, field) \
	((type *)(void *)((char *)(ptr) - offsetof(type, field)))

#endif
