/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * refuse WHAT PROGRAM ARGS...: runs a program for which the kernel refuses one thing, as containers
 * and older kernels do: perf, scan (PAGEMAP_SCAN), query
 * (PROCMAP_QUERY), ptrace, seccomp.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* _IOWR('f', 16, 96 bytes) and _IOWR('f', 17, 104 bytes) */
#define SCAN_IOCTL  0xc0606610u
#define QUERY_IOCTL 0xc0686611u

struct refusal {
	const char *name;
	uint32_t nr;
	uint32_t arg; /* that must be value; 6: none */
	uint32_t value;
	uint32_t error;
};

static const struct refusal refusals[] = {
	{"perf", SYS_perf_event_open, 6, 0, EACCES},
	{"scan", SYS_ioctl, 1, SCAN_IOCTL, ENOTTY},
	{"query", SYS_ioctl, 1, QUERY_IOCTL, ENOTTY},
	{"ptrace", SYS_ptrace, 6, 0, EPERM},
	{"seccomp", SYS_prctl, 0, PR_SET_SECCOMP, EINVAL},
};

static int refuse(const struct refusal *what)
{
	size_t word = what->arg < 6 ? offsetof(struct seccomp_data, args) + what->arg * 8
				    : offsetof(struct seccomp_data, nr);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what->nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)word),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what->arg < 6 ? what->value : what->nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | what->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (!strcmp(argv[1], refusals[i].name) && !refuse(&refusals[i])) {
			execvp(argv[2], argv + 2);
			perror(argv[2]);
			return 127;
		}
	}
	fprintf(stderr, "refuse perf|scan|query|ptrace|seccomp PROGRAM ARGS...\n");
	return 2;
}
