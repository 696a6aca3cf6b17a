//! What glibc's malloc keeps of what was freed (mallopt(3), malloc_trim(3)). Other C libraries keep little, and are left
//! alone.

/// Every thread that ever waited for another has an arena of its own, and a large block that was freed once makes all that
/// are smaller come from the heap, where they leave holes: one arena, and large blocks always mapped by themselves, at
/// malloc's own first limit of 128 KiB. Threads that have an arena keep it.
#[cfg(target_env = "gnu")]
pub fn keep_little() {
    // SAFETY: mallopt takes no memory, and locks the arena it changes
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 * 1024);
    }
}

/// Gives whole free pages of all arenas back.
#[cfg(target_env = "gnu")]
pub fn trim() {
    // SAFETY: malloc_trim takes no memory of ours and locks each arena
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
pub fn keep_little() {}

#[cfg(not(target_env = "gnu"))]
pub fn trim() {}
