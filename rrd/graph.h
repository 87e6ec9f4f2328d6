/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * graph: `weir graph VIEW -o FILE`: a picture of the archives of an output, the biggest
 * rows stacked, in bits/s, with the total and its 95th percentile. Needs no daemon: it
 * reads the folder that the output writes. A process of its own, as drawing in librrd
 * is not thread-safe.
 */
#ifndef WEIR_RRD_GRAPH_H
#define WEIR_RRD_GRAPH_H

/* Where archives are looked for unless --rrd-path says otherwise. */
#define GRAPH_RRD_PATH "/var/lib/weir/rrd"

/*
 * The whole of `weir graph`; argv[0] is "graph". Returns the exit status: 0; 1 when
 * there is nothing to draw or drawing failed; 2 when it was called wrongly. Says why on
 * stderr.
 */
int graph_main(int argc, char **argv);

#endif
