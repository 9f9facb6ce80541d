/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An address space in the format of x86-64: maps 4 MiB, looks an address up, takes it all down. */
#include <ptdesc/format.h>
#include <ptdesc/hosted.h>
#include <ptdesc/space.h>
#include <stdio.h>

/* What a range call unmaps comes back in runs, when no TLB can refer to it any more. */
static void unmapped(void *ctx, const struct pt_run *runs, size_t count)
{
	(void)ctx;
	for (size_t i = 0; i < count; i++)
		printf("free    %#llx bytes at %#llx\n", (unsigned long long)runs[i].size,
		    (unsigned long long)runs[i].pa.v);
}

int main(void)
{
	const pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
	const pt_va va = pt_make_va(0x7f0000200000);
	struct pt_run runs[8];
	struct pt_gather gather = pt_make_gather(runs, 8, unmapped, NULL);
	struct pt_translation to;
	struct pt_hosted *hosted; /* simulated memory, and threads as CPUs */
	struct pt_space space;
	int error;

	if (pt_hosted_memory_create(NULL, &hosted) != 0)
		return 1;
	error = pt_space_init(&space, pt_hosted_memory(hosted), &pt_format_x86_64, 0, NULL);
	if (!error)
		error = pt_map(&space, va, 4u << 20, pt_make_pa(0x40000000), attr, 0);
	if (!error)
		error = pt_translate(&space, pt_make_va(va.v + 0x12345), &to);
	if (error) {
		fprintf(stderr, "hello_map: %s\n", pt_strerror(error));
		return 1;
	}
	printf("%#llx -> %#llx in a leaf of %llu KiB\n", (unsigned long long)va.v + 0x12345,
	    (unsigned long long)to.pa.v, (unsigned long long)to.size >> 10);
	return pt_space_destroy(&space, &gather) || pt_hosted_memory_destroy(hosted, NULL);
}
