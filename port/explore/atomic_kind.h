/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef PORT_EXPLORE_ATOMIC_KIND_H
#define PORT_EXPLORE_ATOMIC_KIND_H

/* An atomic access. */
enum atomic_kind { ATOMIC_LOAD, ATOMIC_STORE, ATOMIC_UPDATE };

#endif
