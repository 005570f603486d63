/* SPDX-License-Identifier: ISC */
/*
 * Who is at the other end of an accepted connection.
 */
#ifndef FRONT_CLIENT_H
#define FRONT_CLIENT_H

#include "conf/conf.h"
#include "net/listener.h"

struct client {
	char label[ADDRESS_MAX + 24];	/* "C-17 203.0.113.9:5512", for the log */
	char address[ADDRESS_MAX];	/* without port */
	const struct conf_listener *listener;	/* where it came in; borrowed */
};

#endif
