/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdarg.h>

#include "port/bare/common/machine.h"
#include "port/bare/common/print.h"

static void put_string(const char *s)
{
	while (*s)
		machine_putc(*s++);
}

static void put_number(unsigned long long n, unsigned base)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	while (count)
		machine_putc(digits[--count]);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		unsigned longs = 0;
		unsigned base;

		if (*format != '%') {
			machine_putc(*format);
			continue;
		}
		while (*++format == 'l')
			longs++;
		base = *format == 'x' ? 16 : 10;
		if (*format == '%')
			machine_putc('%');
		else if (*format == 's')
			put_string(va_arg(args, const char *));
		else if (longs == 2)
			put_number(va_arg(args, unsigned long long), base);
		else if (longs == 1)
			put_number(va_arg(args, unsigned long), base);
		else
			put_number(va_arg(args, unsigned), base);
	}
	va_end(args);
}
