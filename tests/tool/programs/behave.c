/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * behave NAME [NUMBER]: processes and threads in the ways that are hard to trace. Exit status 0 if
 * all went as it does without a tracer; what it says of itself goes to stdout.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ptdesc/atomic.h>

#define PAGE    ((size_t)4096)
#define MIB     ((size_t)1 << 20)
#define THREADS 8u
#define MS      1000000L

static char *anonymous(size_t size)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	return at;
}

static void touch(char *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 1;
}

static void start(pthread_t *thread, void *(*function)(void *), void *ctx)
{
	if (pthread_create(thread, NULL, function, ctx))
		exit(1);
}

static int wait_status(pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *map_and_unmap(void *ctx)
{
	for (unsigned i = 0; i < *(unsigned *)ctx; i++) {
		char *at = anonymous(3 * MIB);

		touch(at, 300 * PAGE);
		munmap(at, 3 * MIB);
	}
	return NULL;
}

/* Threads that map and unmap at once. */
static int threads(unsigned times)
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		start(&thread[i], map_and_unmap, &times);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

/* One of several threads that map, fork, give back and unmap at once. */
static void *map_and_fork(void *ctx)
{
	for (unsigned i = 0; i < *(unsigned *)ctx; i++) {
		char *at = anonymous(3 * MIB);

		touch(at, 2 * MIB);
		if (i % 5 == 0) {
			pid_t child = fork();

			if (!child) {
				at[0] = 2;
				munmap(at, MIB);
				_exit(0);
			}
			if (wait_status(child))
				exit(1);
		}
		madvise(at, 2 * MIB, MADV_DONTNEED);
		munmap(at, 3 * MIB);
	}
	return NULL;
}

static int forking_threads(unsigned times)
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		start(&thread[i], map_and_fork, &times);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

/* One thread faults and makes no call for long. */
static int faults(unsigned pages)
{
	touch(anonymous(pages * PAGE), pages * PAGE);
	return 0;
}

static void *exec_true(void *ctx)
{
	(void)ctx;
	execl("/bin/sh", "sh", "-c", "exit 7", NULL);
	return NULL;
}

static void *spin(void *ctx)
{
	for (volatile unsigned i = 0;; i++)
		;
	return ctx;
}

/* A thread that is not the first executes a program, while others run and sleep. */
static int exec_thread(unsigned number)
{
	pthread_t thread;

	(void)number;
	start(&thread, spin, NULL);
	start(&thread, exec_true, NULL);
	pthread_join(thread, NULL);
	return 1;
}

/* The first thread ends before the others. */
static void *last_thread(void *ctx)
{
	usleep(20000);
	touch(anonymous(4 * MIB), 4 * MIB);
	exit(*(int *)ctx);
}

static int leader_ends(unsigned number)
{
	static int status;
	pthread_t thread;

	status = (int)number;
	start(&thread, last_thread, &status);
	pthread_exit(NULL);
}

/* --- processes -------------------------------------------------------------------------------- */

static int forks(unsigned times)
{
	char *at = anonymous(4 * MIB);

	touch(at, 4 * MIB);
	for (unsigned i = 0; i < times; i++) {
		pid_t child = fork();

		if (!child) {
			at[i * PAGE % MIB] = 2;
			_exit((int)i % 100);
		}
		if (wait_status(child) != (int)(i % 100) << 8)
			return 1;
	}
	return 0;
}

/* Each process the parent of the next, all alive at a time. */
static int nested(unsigned depth)
{
	pid_t child;

	if (!depth)
		return 0;
	child = fork();
	if (!child)
		_exit(nested(depth - 1));
	return wait_status(child) ? 1 : 0;
}

static int vforks(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		pid_t child = vfork();

		if (!child) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		if (wait_status(child))
			return 1;
	}
	return 0;
}

/* Children that are all about to execute a program while the parent makes more. */
static int spawns(unsigned times)
{
	char *const arguments[] = {"sh", "-c", "exec sleep 0.1", NULL};
	int failed = 0;

	for (unsigned i = 0; i < times; i++) {
		pid_t child;

		failed |= posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, NULL);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return failed;
}

/* A parent that is killed, and a child that goes on. */
static int orphan(unsigned number)
{
	(void)number;
	if (!fork()) {
		usleep(50000);
		touch(anonymous(MIB), MIB);
		_exit(0);
	}
	return raise(SIGKILL);
}

static int kill_self(unsigned signal)
{
	raise((int)signal);
	return 0;
}

/* Stops itself, is continued by its child, and goes on. */
static int stops(unsigned number)
{
	pid_t self = getpid();
	pid_t child = fork();

	(void)number;
	if (!child) {
		usleep(100000);
		kill(self, SIGCONT);
		_exit(0);
	}
	raise(SIGSTOP);
	return wait_status(child) ? 1 : 0;
}

static int wait_long(unsigned seconds)
{
	touch(anonymous(MIB), MIB);
	puts("ready");
	fflush(stdout);
	sleep(seconds);
	return 0;
}

/* --- EINTR ------------------------------------------------------------------------------------ */

static int done;
static int interrupted;

static void count(int result)
{
	if (result < 0 && errno == EINTR)
		PT_FETCH_ADD(&interrupted, 1, RELAXED);
}

static void *in_epoll(void *ctx)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	while (!PT_LOAD(&done, RELAXED))
		count(epoll_wait(fd, &event, 1, 3));
	close(fd);
	return ctx;
}

static void *in_poll(void *ctx)
{
	while (!PT_LOAD(&done, RELAXED))
		count(poll(NULL, 0, 3));
	return ctx;
}

static void *in_select(void *ctx)
{
	while (!PT_LOAD(&done, RELAXED)) {
		struct timeval most = {.tv_usec = 3000};

		count(select(0, NULL, NULL, NULL, &most));
	}
	return ctx;
}

static void *in_sleep(void *ctx)
{
	const struct timespec most = {.tv_nsec = 3 * MS};

	while (!PT_LOAD(&done, RELAXED))
		count(nanosleep(&most, NULL));
	return ctx;
}

static void *in_semaphore(void *ctx)
{
	sem_t semaphore;

	sem_init(&semaphore, 0, 0);
	while (!PT_LOAD(&done, RELAXED)) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 3 * MS;
		until.tv_sec += until.tv_nsec / (1000 * MS);
		until.tv_nsec %= 1000 * MS;
		count(sem_timedwait(&semaphore, &until));
	}
	return ctx;
}

static void *in_sigtimedwait(void *ctx)
{
	const struct timespec most = {.tv_nsec = 3 * MS};
	sigset_t set;

	sigemptyset(&set);
	while (!PT_LOAD(&done, RELAXED))
		count(sigtimedwait(&set, NULL, &most));
	return ctx;
}

/* Threads that sleep for moments in all ways, while another calls and faults. */
static int sleepers(unsigned times)
{
	static void *(*const ways[])(
	    void *) = {in_epoll, in_poll, in_select, in_sleep, in_semaphore, in_sigtimedwait};
	pthread_t thread[sizeof(ways) / sizeof(ways[0])];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		start(&thread[i], ways[i], NULL);
	map_and_unmap(&times);
	PT_STORE(&done, 1, RELAXED);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		pthread_join(thread[i], NULL);
	printf("%d interrupted\n", interrupted);
	return interrupted != 0;
}

static int epoll_once(int ms)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	int got = epoll_wait(fd, &event, 1, ms);

	got = got < 0 ? -errno : got;
	close(fd);
	return got;
}

/* A signal that is ignored, here a child's end, ends no sleep. */
static int ignored_signal(unsigned number)
{
	pid_t child = fork();
	int got;

	(void)number;
	if (!child) {
		usleep(20000);
		_exit(0);
	}
	got = epoll_once(100);
	printf("epoll_wait: %d\n", got);
	return got || wait_status(child);
}

static void handle(int signal)
{
	(void)signal;
}

/* One that is handled does. */
static int handled_signal(unsigned number)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 20 * MS};
	struct sigaction action = {.sa_handler = handle};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	timer_t timer;
	int got;

	(void)number;
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &soon, NULL))
		return 1;
	got = epoll_once(2000);
	printf("epoll_wait: %d\n", got);
	return got != -EINTR;
}

/* --- a call that waits for another thread's ------------------------------------------------------
 */

struct filler {
	int fd;
	char *area;
};

static void *fill_pages(void *ctx)
{
	static char page[4096] __attribute__((aligned(4096)));
	const struct filler *filler = ctx;
	struct uffd_msg message;

	while (read(filler->fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_copy copy = {
			.dst = message.arg.pagefault.address & ~(PAGE - 1),
			.src = (uintptr_t)page,
			.len = PAGE,
		};

		/* Memory calls of the thread that the other one's memory call waits for. */
		munmap(anonymous(PAGE), PAGE);
		if (ioctl(filler->fd, UFFDIO_COPY, &copy))
			exit(1);
	}
	return NULL;
}

static int populate_by_thread(unsigned pages)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct filler filler = {.area = anonymous(pages * PAGE)};
	struct uffdio_register area = {.range = {(uintptr_t)filler.area, pages * PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING};
	pthread_t thread;

	filler.fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (filler.fd < 0 || ioctl(filler.fd, UFFDIO_API, &api) ||
	    ioctl(filler.fd, UFFDIO_REGISTER, &area))
		return 77;
	start(&thread, fill_pages, &filler);
	return madvise(filler.area, pages * PAGE, MADV_POPULATE_WRITE) ? 1 : 0;
}

/* --- 32-bit calls ----------------------------------------------------------------------------- */

/* munmap by the number and the registers of 32-bit programs; 77: this kernel knows none. */
static int foreign(unsigned number)
{
	static const uint8_t code[] = {
		0x53,              /* push rbx */
		0x89, 0xfb,        /* mov ebx, edi */
		0x89, 0xf1,        /* mov ecx, esi */
		0xb8, 91, 0, 0, 0, /* mov eax, 91 */
		0xcd, 0x80,        /* int 0x80 */
		0x5b,              /* pop rbx */
		0xc3,              /* ret */
	};
	int (*call)(uint32_t at, uint32_t size);
	void *text = anonymous(PAGE);
	void *at = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_POPULATE, -1, 0);
	int result;

	(void)number;
	memcpy(text, code, sizeof(code));
	if (at == MAP_FAILED || mprotect(text, PAGE, PROT_READ | PROT_EXEC))
		return 1;
	memcpy(&call, &text, sizeof(call));
	result = call((uint32_t)(uintptr_t)at, MIB);
	return result == -ENOSYS ? 77 : result != 0;
}

static const struct {
	const char *name;
	int (*run)(unsigned number);
	unsigned number; /* unless one is given */
} ways[] = {
	{"threads", threads, 20},
	{"forking-threads", forking_threads, 20},
	{"faults", faults, 20000},
	{"exec-thread", exec_thread, 0},
	{"leader-ends", leader_ends, 5},
	{"forks", forks, 50},
	{"nested", nested, 20},
	{"vforks", vforks, 20},
	{"spawns", spawns, 40},
	{"orphan", orphan, 0},
	{"kill", kill_self, SIGTERM},
	{"stops", stops, 0},
	{"wait", wait_long, 60},
	{"sleepers", sleepers, 100},
	{"ignored-signal", ignored_signal, 0},
	{"handled-signal", handled_signal, 0},
	{"populate", populate_by_thread, 10},
	{"foreign", foreign, 0},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!strcmp(argv[1], ways[i].name))
			return ways[i].run(argc > 2 ? (unsigned)atoi(argv[2]) : ways[i].number);
	}
	return 2;
}
