/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A model of one blob: its states (hw/blob/facts.hpp), a scanout, consumers in other processes, and the loss of the
 * memory under it (hw/blob/revoke.cpp, hw/qemu/watch.c). docs/revocation.md says what it covers; run-model checks it
 * with Spin, and that it fails when a rule is broken:
 *
 *   NO_WAIT     dma-bufs are closed, and the kernel is asked, without waiting for consumers
 *   NO_TELL     consumers are not told before they are waited for
 *   KEEP_VIEW   the CPU's view outlives the memory
 *   NO_LIMIT    a consumer that hangs is waited for without bound
 *   SHOW_STALE  memory that came back is shown again without new backing
 *   FORGET      a dma-buf that the guest has taken back is forgotten while a consumer holds it
 */
#define CONSUMERS 2

mtype = { Unbacked, Backed, Revoked, Gone };  /* State; there is no blob in Gone */
mtype = { Nothing, Scanout, Disable };        /* the last message under way; a newer one overtakes it */

mtype state = Gone;
bool bound;      /* to the scanout */
bool dmabuf;     /* our descriptor is open */
bool view;       /* the CPU's view is mapped */
bool memory_on = true;
bool lingers;    /* a dma-buf that the blob has given back is remembered */
bool losing;     /* between the first step of a revocation and its last */
bool fresh;      /* the guest has attached memory since it was last lost */

mtype under_way[CONSUMERS] = Nothing;
bool shown[CONSUMERS];  /* it was sent the buffer and not yet told to drop it */
bool holds[CONSUMERS];  /* it has imported the buffer */
bool hung[CONSUMERS];   /* it reads no messages */

/* A reference to the dma-buf that is not ours: what `count` in fdinfo shows. */
#define HELD(c) (holds[c] || under_way[c] == Scanout)
#define HELD_BY_ANY (HELD(0) || HELD(1))
#define HELD_BY_LIVE ((HELD(0) && !hung[0]) || (HELD(1) && !hung[1]))

inline tell(c, message)
{
    if
    :: under_way[c] == Disable && message == Scanout -> under_way[c] = Scanout; /* it lets go of the old import anyhow */
    :: else -> under_way[c] = message
    fi
}

inline put_on_screen()
{
    assert(state == Backed && fresh);
    if
    :: dmabuf ->
        tell(0, Scanout); shown[0] = true;
        tell(1, Scanout); shown[1] = true
    :: else
    fi;
    if
    :: view = true /* a screendump, VNC */
    :: true
    fi
}

inline let_go(next)
{
    state = next;
#ifndef NO_TELL
    if :: shown[0] -> tell(0, Disable); shown[0] = false :: else fi;
    if :: shown[1] -> tell(1, Disable); shown[1] = false :: else fi
#endif
}

inline give_back()
{
#ifndef FORGET
    if :: HELD_BY_ANY -> lingers = true :: else fi;
#endif
    dmabuf = false;
#ifndef KEEP_VIEW
    view = false;
#endif
    fresh = false
}

inline attach()
{
    state = Backed;
    dmabuf = true;
    fresh = true;
    if :: bound -> put_on_screen() :: else fi
}

/* The guest, and QEMU's main loop, which carries out one command at a time. */
active proctype Guest()
{
    bool detached;

    do
    :: atomic { state == Gone && memory_on -> attach(); bound = false; detached = false }
    :: atomic { state == Backed -> bound = true; put_on_screen() }
    :: atomic { state == Backed && bound -> bound = false; let_go(Backed) }
    :: atomic { state == Backed && view -> assert(memory_on) /* a load from the view */ }
    :: atomic { state == Backed -> let_go(Unbacked); give_back() }
    :: atomic { state == Unbacked && memory_on -> attach() }
    :: atomic { state == Backed || state == Unbacked -> let_go(Gone); give_back(); bound = false }
    /* A tombstone: the guest's driver cleans up. DETACH_BACKING answers OK, once is enough; then it attaches or
     * unreferences. Showing it is refused, which changes nothing. */
    :: atomic { state == Revoked && !detached -> detached = true }
    :: atomic { state == Revoked && detached && memory_on -> attach(); detached = false }
    :: atomic { state == Revoked && detached -> state = Gone; bound = false; detached = false }
    :: atomic { lingers && !HELD_BY_ANY -> lingers = false /* looked at again */ }
    /* Memory decoding off, D3, a reset: first us, then the kernel. */
    :: atomic { memory_on && (state == Backed || lingers) ->
           losing = true;
           if :: state == Backed -> let_go(Revoked) :: else fi
       };
       do
#ifdef NO_WAIT
       :: break
#else
       :: !HELD_BY_ANY -> break
#ifndef NO_LIMIT
       :: HELD_BY_ANY && !HELD_BY_LIVE -> break /* half a second is over */
#endif
#endif
       od;
       atomic {
           give_back();
           lingers = false;
           assert(!view && !dmabuf);
           memory_on = false;
           assert(!HELD_BY_LIVE);
           losing = false
       }
    /* Nothing is known that lies in it. */
    :: atomic { memory_on && state != Backed && state != Revoked && !lingers ->
           memory_on = false;
           assert(!HELD_BY_LIVE)
       }
    :: atomic { !memory_on && state != Revoked -> memory_on = true }
    :: atomic { !memory_on && state == Revoked -> memory_on = true;
#ifdef SHOW_STALE
                state = Backed; dmabuf = true; if :: bound -> put_on_screen() :: else fi
#endif
              }
    od
}

proctype Consumer(byte c)
{
    do
    :: atomic { !hung[c] && under_way[c] == Scanout -> holds[c] = true; under_way[c] = Nothing }
    :: atomic { !hung[c] && under_way[c] == Disable -> holds[c] = false; under_way[c] = Nothing }
    :: atomic { !hung[c] && holds[c] && under_way[c] == Nothing -> assert(memory_on) /* scans it out */ }
    :: atomic { c == 1 && !hung[c] -> hung[c] = true }
    :: atomic { c == 1 && hung[c] -> break } /* for good, with whatever it holds */
    :: atomic { hung[c] -> holds[c] = false; under_way[c] = Nothing; hung[c] = false } /* killed, started again */
    od
}

init { run Consumer(0); run Consumer(1) }

ltl every_revoke_completes { [] (losing -> <> !losing) }
ltl tombstones_end { [] ((state == Revoked && !losing) -> <> (state != Revoked)) }
