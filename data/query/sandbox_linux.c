// Takes from a child that runs SQL what it does not need, before the Go runtime
// starts: restrictions of a thread hold for the threads that it starts later.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// The names that the parent uses; see query.go.
#define FILES "FAIRLEAD_QUERY_FILES"
#define MEMORY "FAIRLEAD_QUERY_MEMORY"
#define SECONDS "FAIRLEAD_QUERY_SECONDS"
#define FIRST_FILE 3

// Of linux/landlock.h, which older headers lack or have in part.
struct ruleset { uint64_t fs, net, scoped; };
struct path_beneath { uint64_t allowed; int32_t fd; } __attribute__((packed));
#define READ_FILE (1ULL << 2)

// fs_rights are those that each version of Landlock knows, from the first.
static const uint64_t fs_rights[] = {
	(1ULL << 13) - 1, (1ULL << 14) - 1, (1ULL << 15) - 1, (1ULL << 15) - 1, (1ULL << 16) - 1,
};

static void bound(int what, const char *value) {
	rlim_t n = value ? strtoull(value, NULL, 10) : 0;
	struct rlimit limit = {n, n};
	setrlimit(what, &limit);
}

// may_read adds a file to those that may be opened, or what is below a directory.
static void may_read(int rules, int fd) {
	struct path_beneath rule = {READ_FILE, fd};
	if (fd >= 0 && syscall(445, rules, 1, &rule, 0))
		_exit(71);
}

// files_only leaves nothing to open but the inherited files, and what DuckDB must read
// to open at all: the limits of its control group.
static void files_only(int files) {
	long version = syscall(444, NULL, 0, 1);
	if (version < 1)
		return; // an older kernel, which Missing tells of; DuckDB's own lock is there
	struct ruleset rules = {fs_rights[(version > 5 ? 5 : version) - 1], 0, 0};
	if (version >= 4)
		rules.net = 3; // bind and connect of TCP
	if (version >= 6)
		rules.scoped = 3; // abstract sockets, signals to others
	int fd = syscall(444, &rules, sizeof(rules), 0);
	if (fd < 0)
		_exit(70);
	for (int i = 0; i < files; i++)
		may_read(fd, FIRST_FILE + i);
	int group = open("/proc/self/cgroup", O_PATH | O_CLOEXEC);
	int limits = open("/sys/fs/cgroup", O_PATH | O_CLOEXEC);
	may_read(fd, group);
	may_read(fd, limits);
	if (syscall(446, fd, 0))
		_exit(72);
	close(fd);
	close(group);
	close(limits);
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

// no_programs refuses to start programs, to open sockets and to touch other processes.
static void no_programs(void) {
#ifdef ARCH
#define ARGUMENT offsetof(struct seccomp_data, args[0]) // its lower half, which a process's id has
#define DENY(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ONLY(call, first) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4), \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT), \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), // the x32 numbers
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
#endif
		ONLY(__NR_tgkill, (uint32_t)getpid()), // the Go runtime signals its own threads
		ONLY(__NR_prlimit64, 0), // limits of its own
		DENY(__NR_execve), DENY(__NR_execveat), DENY(__NR_socket), DENY(__NR_socketpair),
		DENY(__NR_connect), DENY(__NR_kill), DENY(__NR_tkill), DENY(__NR_rt_sigqueueinfo),
		DENY(__NR_rt_tgsigqueueinfo), DENY(__NR_ptrace), DENY(__NR_process_vm_readv),
		DENY(__NR_process_vm_writev), DENY(__NR_setpriority), DENY(__NR_bpf), DENY(__NR_mount),
		DENY(__NR_unshare), DENY(__NR_setns), DENY(__NR_open_by_handle_at), DENY(__NR_userfaultfd),
		DENY(__NR_perf_event_open), DENY(__NR_keyctl), DENY(__NR_add_key), DENY(__NR_request_key),
		// Of older headers, by their numbers: pidfd_send_signal, io_uring_setup, pidfd_open,
		// pidfd_getfd.
		DENY(424), DENY(425), DENY(434), DENY(438),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) && errno != EINVAL)
		_exit(73); // EINVAL: a kernel without it, which Missing tells of
#endif
}

// no_privileges drops what root may beside its files.
static void no_privileges(void) {
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct has[2] = {{0}}, keeps[2] = {{0}};
	if (syscall(SYS_capget, &head, has))
		_exit(74);
	keeps[0].effective = keeps[0].permitted = has[0].permitted & (1 << CAP_DAC_READ_SEARCH);
	if (syscall(SYS_capset, &head, keeps))
		_exit(75);
}

__attribute__((constructor)) static void sandbox(void) {
	const char *files = getenv(FILES);
	if (!files)
		return;
	bound(RLIMIT_CORE, NULL); // a core would hold rows
	bound(RLIMIT_FSIZE, NULL);
	bound(RLIMIT_DATA, getenv(MEMORY));
	bound(RLIMIT_CPU, getenv(SECONDS));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(76);
	no_privileges();
	files_only(atoi(files));
	no_programs();
}
