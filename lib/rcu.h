/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read-copy-update for objects that workers read without a lock and that seldom change
 * (templates, maps). A worker thread enters once, says between two pieces of work that it
 * holds no such pointer (rcu_quiet), and goes idle around anything that may block. A writer
 * swaps the pointer and gives the old object to rcu_defer, which frees it when no worker
 * can still see it. liburcu's quiescent-state flavour: readers pay nothing.
 */
#ifndef WEIR_LIB_RCU_H
#define WEIR_LIB_RCU_H

/* This thread reads shared objects from now on / no more. */
void rcu_enter(void);
void rcu_leave(void);

/* No shared pointer is held at this moment. */
void rcu_quiet(void);

/* No shared pointer is held until rcu_busy; may block meanwhile. */
void rcu_idle(void);
void rcu_busy(void);

/*
 * Call `fn(p)` once no reader can hold `p` any more; on another thread, soon. Any thread
 * that has entered. When memory is short it waits instead.
 */
void rcu_defer(void (*fn)(void *), void *p);

/* Wait until everything deferred so far has been called (at exit, in tests). */
void rcu_drain(void);

#endif
