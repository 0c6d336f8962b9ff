//! What a process gets of the machine, put back to what a fresh one has: sched(7), ioprio_set(2),
//! set_mempolicy(2), prctl(2), proc(5).

/// Whose CPUs are taken: an administrator may keep some free of everybody.
const PID_1: i32 = 1;

/// How late the kernel may wake a sleeping process, in nanoseconds: its own default.
const TIMER_SLACK: libc::c_ulong = 50_000;

/// Puts back what the caller has inherited of somebody else's process, who may have made it as
/// slow, or as likely to be killed, as anybody may make a process of their own. What cannot be
/// put back stays as it is: the kernel takes this of root alone, and a container may not give
/// root the right to it.
pub fn reset() {
    let normal = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameter and the set of CPUs outlive the calls; everything else is numbers.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const normal);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        // IOPRIO_WHO_PROCESS, the caller, IOPRIO_CLASS_NONE: as the CPU's
        libc::syscall(libc::SYS_ioprio_set, 1, 0, 0);
        // MPOL_DEFAULT
        libc::syscall(libc::SYS_set_mempolicy, 0, std::ptr::null::<u64>(), 0);
        libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK);
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(PID_1, size_of_val(&cpus), &raw mut cpus) == 0 {
            libc::sched_setaffinity(0, size_of_val(&cpus), &raw const cpus);
        }
    }
    // The child of a process that may be killed first would be killed first.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}
