/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/explore/jobs.h"

/* A piece, and where the process that does it leaves what came of it. */
struct piece {
	FILE *output;
	pid_t pid;
	bool ended;
	bool good;
};

static struct piece *piece;
static struct totals *totals; /* shared with the processes */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void start(job_fn job, unsigned n)
{
	struct piece *p = &piece[n];

	p->output = tmpfile();
	if (!p->output)
		die("a file for output");
	fflush(NULL);
	p->pid = fork();
	if (p->pid < 0)
		die("fork");
	if (p->pid > 0)
		return;
	if (dup2(fileno(p->output), STDOUT_FILENO) < 0)
		die("dup2");
	n = job(n, &totals[n]) ? 0 : 1;
	fflush(NULL);
	_exit((int)n);
}

static void show(struct piece *p)
{
	int c;

	if (fseek(p->output, 0, SEEK_SET))
		die("fseek");
	while ((c = getc(p->output)) != EOF)
		putchar(c);
	fclose(p->output);
	fflush(stdout);
}

/* Waits until one process has ended; false: it ended badly. */
static bool reap(unsigned started)
{
	int status = 0;
	pid_t pid = wait(&status);

	if (pid < 0)
		die("wait");
	for (unsigned n = 0; n < started; n++) {
		struct piece *p = &piece[n];

		if (p->pid != pid)
			continue;
		p->ended = true;
		p->good = !status;
		if (WIFSIGNALED(status))
			fprintf(p->output, "not ok - killed by signal %d\n", WTERMSIG(status));
	}
	return !status;
}

/* Shows what has ended, and ends what has not. */
static void stop(unsigned started, unsigned shown)
{
	for (unsigned n = shown; n < started; n++) {
		if (piece[n].ended)
			show(&piece[n]);
		else
			kill(piece[n].pid, SIGKILL);
	}
}

/* Shows what has ended, in order, as far as all before it have; false: some of it failed. */
static bool show_ended(unsigned started, unsigned *shown, struct totals *sum)
{
	bool good = true;

	for (; *shown < started && piece[*shown].ended; ++*shown) {
		show(&piece[*shown]);
		good &= piece[*shown].good;
		totals_add(sum, &totals[*shown]);
	}
	return good;
}

bool jobs_run(job_fn job, unsigned count, unsigned processes, bool first, struct totals *sum)
{
	unsigned started = 0;
	unsigned ended = 0;
	unsigned shown = 0;
	bool good = true;

	piece = calloc(count, sizeof(*piece));
	totals = mmap(NULL, count * sizeof(*totals), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!piece || totals == MAP_FAILED)
		die("memory");
	while (shown < count) {
		while (started < count && started - ended < processes)
			start(job, started++);
		if (!reap(started) && first) {
			stop(started, shown);
			return false;
		}
		ended++;
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "%u of %u\r", ended, count);
		good &= show_ended(started, &shown, sum);
	}
	munmap(totals, count * sizeof(*totals));
	free(piece);
	return good;
}
