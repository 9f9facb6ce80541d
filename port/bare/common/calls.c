/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a compiler may call by itself: the four memory calls, and 64-bit division where the CPU has
 * none. Compiled without builtins, else they would call themselves.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	/* Words where both are aligned: an emulator is slow enough. */
	if (!(((uintptr_t)t | (uintptr_t)f) % sizeof(size_t))) {
		for (; size >= sizeof(size_t); size -= sizeof(size_t)) {
			*(size_t *)(void *)t = *(const size_t *)(const void *)f;
			t += sizeof(size_t);
			f += sizeof(size_t);
		}
	}
	while (size--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if ((uintptr_t)to <= (uintptr_t)from)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;
	size_t word = (size_t)-1 / 255 * (unsigned char)byte;

	for (; size && (uintptr_t)t % sizeof(size_t); size--)
		*t++ = (unsigned char)byte;
	for (; size >= sizeof(size_t); size -= sizeof(size_t)) {
		*(size_t *)(void *)t = word;
		t += sizeof(size_t);
	}
	while (size--)
		*t++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

/* Bit by bit: only reports divide. */
uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest)
{
	uint64_t quotient = 0;
	uint64_t r = 0;

	for (unsigned i = 64; i--;) {
		r = r << 1 | (n >> i & 1);
		quotient <<= 1;
		if (r >= d) {
			r -= d;
			quotient |= 1;
		}
	}
	if (rest)
		*rest = r;
	return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
	return __udivmoddi4(n, d, NULL);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
	uint64_t rest;

	(void)__udivmoddi4(n, d, &rest);
	return rest;
}
