/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All of the library but the hosted port (ptdesc/hosted.h), the boot stage (ptdesc/boot.h) and
 * Linux's spellings (ptdesc/linux_names.h).
 */
#ifndef PTDESC_H
#define PTDESC_H

#include <ptdesc/format.h>
#include <ptdesc/frame.h>
#include <ptdesc/gather.h>
#include <ptdesc/kernel.h>
#include <ptdesc/memory.h>
#include <ptdesc/page.h>
#include <ptdesc/port.h>
#include <ptdesc/ptdesc.h>
#include <ptdesc/slab.h>
#include <ptdesc/space.h>
#include <ptdesc/types.h>

#endif
