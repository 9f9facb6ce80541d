/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The end of a program of tests named after defects: included after ROWS(X), the list of X(row,
 * whether a build can put it back), with a check_D##row() for each, and DEFECTS_NAME. In a build
 * with PT_DEFECTS each test is itself tested: the defect is put back in a process of its own, where
 * the check has to fail. `--put-back N` runs all tests with row N put back.
 */
#ifdef PT_DEFECTS

static bool verify = true; /* the checks themselves are tested too */

/* Runs a check with its defect put back; true: it failed, one way or another. */
static bool is_caught(unsigned row, void (*check)(void))
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		/* No cmocka test is running yet: what an assertion does is end the process. */
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(0);
		alarm(20);
		pt_defect = row;
		check();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status != 0;
}

#define ROW(n, switchable)                                                                         \
	static bool caught_D##n;                                                                   \
	static void test_D##n(void **state)                                                        \
	{                                                                                          \
		(void)state;                                                                       \
		check_D##n();                                                                      \
		if (verify && (switchable) && !caught_D##n)                                        \
			fail_msg("D" #n " was put back, and its test did not notice");             \
	}
ROWS(ROW)

/* Before any test runs; cmocka would take an assertion in the other process for its own. */
static void put_back_each(void)
{
	unsigned caught = 0;
	unsigned count = 0;

	printf("# each defect put back in a process of its own:");
#define PUT_BACK(n, switchable)                                                                    \
	if (switchable)                                                                            \
		caught += caught_D##n = is_caught(n, check_D##n);                                  \
	count += (switchable);                                                                     \
	if (switchable)                                                                            \
		printf(" D" #n "%s", caught_D##n ? "" : "(NOT CAUGHT)");
	ROWS(PUT_BACK)
	printf("\n## canaries: %u of %u caught\n", caught, count);
}

#else

#define ROW(n, switchable)                                                                         \
	static void test_D##n(void **state)                                                        \
	{                                                                                          \
		(void)state;                                                                       \
		check_D##n();                                                                      \
	}
ROWS(ROW)

#endif

int main(int argc, char **argv)
{
#define TEST(n, switchable) cmocka_unit_test(test_D##n),
	const struct CMUnitTest tests[] = {ROWS(TEST)};

	(void)argv;
	if (argc > 1) {
#ifdef PT_DEFECTS
		if (argc != 3 || strcmp(argv[1], "--put-back") != 0)
			return 2;
		pt_defect = (unsigned)strtoul(argv[2], NULL, 10);
		verify = false;
#else
		return 2;
#endif
	}
#ifdef PT_DEFECTS
	if (verify)
		put_back_each();
#endif
	return KIT_RUN(DEFECTS_NAME, tests);
}
