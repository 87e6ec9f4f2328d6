/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the program. Each takes its own arguments (argv[0] is the command's
 * name) and returns the exit status. Main thread.
 */
#ifndef WEIR_DAEMON_MAIN_H
#define WEIR_DAEMON_MAIN_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_oid(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_sql(int argc, char **argv);
int cmd_replay(int argc, char **argv); /* with an SQL engine built in */

#endif
