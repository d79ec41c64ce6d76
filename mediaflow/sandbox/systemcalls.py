"""Which system calls sandboxed programs may make: names separated by spaces, which `seccomp.py` compiles."""

from __future__ import annotations

from typing import Final

ALLOWED: Final = """
    access arch_prctl brk capget capset chdir chmod chown clock_getres clock_gettime clock_nanosleep close close_range
    connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
    epoll_wait eventfd eventfd2 execve exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat
    fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fstat fstatfs
    fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake get_mempolicy get_robust_list
    get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid
    getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt
    gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl kill
    lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lstat madvise map_shadow_stack
    mbind membarrier mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mremap
    mseal msync munlock munlockall munmap nanosleep newfstatat open openat openat2 pause pipe pipe2 poll ppoll prctl
    pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
    recvfrom recvmsg removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield select sendfile sendmsg sendto
    set_mempolicy set_robust_list set_tid_address setgroups setitimer setpgid setpriority setresgid setresuid
    setrlimit setsid setsockopt shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statx
    symlink symlinkat sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
    timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat
    utime utimensat utimes vfork vmsplice wait4 waitid write writev
"""
"""What programs need that decode, encode and write files, with threads and processes of their own. Those that begin
with `set` and change users or groups do nothing for a program without capabilities; setpriv gives them up by these.
"""

DENIED: Final = """
    mount umount umount2 pivot_root chroot unshare setns open_tree open_tree_attr move_mount fsopen fsconfig fsmount
    fspick mount_setattr swapon swapoff quotactl quotactl_fd
    ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
    bpf perf_event_open userfaultfd open_by_handle_at name_to_handle_at fanotify_init lookup_dcookie
    add_key request_key keyctl
    init_module finit_module delete_module create_module query_module get_kernel_syms kexec_load kexec_file_load
    reboot acct syslog vhangup nfsservctl uselib ustat _sysctl sysfs personality modify_ldt vm86 vm86old iopl ioperm
    sethostname setdomainname settimeofday stime clock_settime clock_adjtime adjtimex
    migrate_pages move_pages set_mempolicy_home_node
    memfd_create memfd_secret shmget shmat shmctl msgget msgsnd semget mq_open
    setxattr lsetxattr fsetxattr setxattrat
"""
"""What has no place in a step: other file systems, namespaces, other processes, the kernel's own workings, the clock,
and memory that nobody has mapped, which no watch sees (attributes of files in memory are such).
Most are refused for want of capabilities as well; two bars are better than one where a kernel has holes.
"""

UNKNOWN: Final = "clone3 io_uring_setup io_uring_enter io_uring_register"
"""What a filter can't look into: a program goes another way when a kernel does not know them."""
