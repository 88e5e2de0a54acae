/* Extension "quorate.aux/1" of a machine type: its aux machine, the node-local, unreplicated
 * companion of one member. Clock, threads and I/O are legal here and only here; threads that it
 * starts must have ended when destroy() returns. It is created anew at each start of the member.
 */
#ifndef QUORATE_AUX_H
#define QUORATE_AUX_H

#include <quorate/plugin.h>

QR_BEGIN_C

#define QR_AUX_ID "quorate.aux/1"

typedef struct qr_aux qr_aux; /* the plugin's own */

enum {
    QR_ROLE_RECOVERING = 0,
    QR_ROLE_FOLLOWER = 1,
    QR_ROLE_PRE_CANDIDATE = 2,
    QR_ROLE_CANDIDATE = 3,
    QR_ROLE_LEADER = 4,
    QR_ROLE_STOPPING = 5
};

enum { QR_VOTER = 0, QR_PROMOTABLE = 1, QR_NON_VOTER = 2, QR_WITNESS = 3 };

/* What an aux machine hears of. */
enum {
    QR_AUX_CAST = 1,    /* body: a QR_EFFECT_AUX of the machine */
    QR_AUX_CALL = 2,    /* body: a client's request; answer with reply() for entry 0 */
    QR_AUX_APPLIED = 3, /* entries up to ctx.applied have been applied */
    QR_AUX_TICK = 4,    /* only with QR_TICK */
    QR_AUX_ROLE = 5,    /* ctx.role is new */
    QR_AUX_SNAPSHOT_INSTALLED =
        6,                 /* the machine was replaced; index: the snapshot's; value: the old
                                      applied index */
    QR_AUX_LOG = 7,        /* entries, token: the answer to QR_EFFECT_READ_LOG */
    QR_AUX_SESSION_UP = 8, /* target; what the aux machine itself monitors */
    QR_AUX_SESSION_DOWN = 9,
    QR_AUX_HOST_UP = 10, /* body: name */
    QR_AUX_HOST_DOWN = 11,
    QR_AUX_BACKGROUND_DONE = 12, /* token; value: the status; body: the error's text */
    QR_AUX_TIMER = 13,           /* key: a timer that the aux machine set; local, not replicated */
    QR_AUX_DELETED = 14          /* the group is gone for good; last event */
};

typedef struct qr_aux_event {
    uint32_t size;
    uint32_t kind; /* unknown kinds are ignored: later hosts have more */
    uint64_t index;
    uint64_t target;
    int64_t value;
    uint64_t token;
    qr_bytes key;
    qr_bytes body;
    const qr_batch* entries; /* QR_AUX_LOG, else null */
} qr_aux_event;

typedef struct qr_aux_member {
    qr_bytes name;  /* member@host */
    uint64_t match; /* known replicated; 0 unless ctx.role is leader */
    uint32_t vote;  /* QR_VOTER, ... */
    uint32_t reserved;
} qr_aux_member;

/* The member as it is now; valid during the call. */
typedef struct qr_aux_ctx {
    uint32_t size;
    uint32_t role; /* QR_ROLE_... */
    uint64_t group;
    uint64_t term;
    uint64_t applied;
    uint64_t commit;
    uint64_t snapshot_index; /* 0: none */
    int64_t now_ms;          /* this host's clock */
    qr_bytes self;           /* member@host */
    qr_bytes leader;         /* member@host; empty if unknown */
    uint32_t member_count;
    uint32_t member_stride;
    const void* members; /* qr_aux_member */
    void* ctx;
    /* Runs `run` with the machine as of ctx.applied, while apply waits. [aux] */
    int32_t (*with_machine)(const struct qr_aux_ctx*, void (*run)(const qr_machine*, void*),
                            void* argument);
    /* Calls `take` for the entries in [from, to] that are still there, until it returns other than
     * QR_OK. [aux] */
    int32_t (*read_log)(const struct qr_aux_ctx*, uint64_t from, uint64_t to,
                        int32_t (*take)(const qr_entry*, void*), void* argument);
} qr_aux_ctx;

typedef struct qr_aux_args {
    uint32_t size;
    uint32_t reserved;
    uint64_t group;
    qr_bytes group_name;
    qr_bytes config;
    const qr_host* host;
} qr_aux_args;

/* Effects of an aux machine that change replicated state are QR_EFFECT_APPEND (leader) and
 * QR_EFFECT_TRY_APPEND; timers and monitors it sets are its own and local. A failure of an aux
 * machine destroys and re-creates it, never the member. */
typedef struct qr_aux_type {
    uint32_t size;
    uint32_t flags;
    int32_t (*create)(const qr_aux_args*, qr_aux**, qr_error*); /* required [aux] */
    void (*destroy)(qr_aux*);                                   /* required [aux] */
    int32_t (*handle)(qr_aux*, const qr_aux_event*, const qr_aux_ctx*, qr_fx*,
                      qr_error*); /* required [aux] */
    /* A QR_EFFECT_BACKGROUND's body. [background] */
    int32_t (*background)(qr_aux*, qr_bytes task, const qr_cancel*, qr_error*);
} qr_aux_type;

/* Extension "quorate.live_indexes/1": log entries that the state refers to and that must outlive
 * truncation (the log as a value store). */
#define QR_LIVE_INDEXES_ID "quorate.live_indexes/1"
typedef struct qr_live_indexes {
    uint32_t size;
    uint32_t reserved;
    /* Writes ascending uint64_t. [background] */
    int32_t (*live_indexes)(const qr_view*, qr_writer*, qr_error*);
} qr_live_indexes;

QR_END_C

QR_ASSERT_SIZE(qr_aux_event, 80);
QR_ASSERT_OFFSET(qr_aux_event, kind, 4);
QR_ASSERT_OFFSET(qr_aux_event, index, 8);
QR_ASSERT_OFFSET(qr_aux_event, target, 16);
QR_ASSERT_OFFSET(qr_aux_event, value, 24);
QR_ASSERT_OFFSET(qr_aux_event, token, 32);
QR_ASSERT_OFFSET(qr_aux_event, key, 40);
QR_ASSERT_OFFSET(qr_aux_event, body, 56);
QR_ASSERT_OFFSET(qr_aux_event, entries, 72);
QR_ASSERT_SIZE(qr_aux_member, 32);
QR_ASSERT_OFFSET(qr_aux_member, match, 16);
QR_ASSERT_OFFSET(qr_aux_member, vote, 24);
QR_ASSERT_SIZE(qr_aux_ctx, 128);
QR_ASSERT_OFFSET(qr_aux_ctx, role, 4);
QR_ASSERT_OFFSET(qr_aux_ctx, group, 8);
QR_ASSERT_OFFSET(qr_aux_ctx, term, 16);
QR_ASSERT_OFFSET(qr_aux_ctx, applied, 24);
QR_ASSERT_OFFSET(qr_aux_ctx, commit, 32);
QR_ASSERT_OFFSET(qr_aux_ctx, snapshot_index, 40);
QR_ASSERT_OFFSET(qr_aux_ctx, now_ms, 48);
QR_ASSERT_OFFSET(qr_aux_ctx, self, 56);
QR_ASSERT_OFFSET(qr_aux_ctx, leader, 72);
QR_ASSERT_OFFSET(qr_aux_ctx, member_count, 88);
QR_ASSERT_OFFSET(qr_aux_ctx, member_stride, 92);
QR_ASSERT_OFFSET(qr_aux_ctx, members, 96);
QR_ASSERT_OFFSET(qr_aux_ctx, ctx, 104);
QR_ASSERT_OFFSET(qr_aux_ctx, with_machine, 112);
QR_ASSERT_OFFSET(qr_aux_ctx, read_log, 120);
QR_ASSERT_SIZE(qr_aux_args, 56);
QR_ASSERT_OFFSET(qr_aux_args, group, 8);
QR_ASSERT_OFFSET(qr_aux_args, group_name, 16);
QR_ASSERT_OFFSET(qr_aux_args, config, 32);
QR_ASSERT_OFFSET(qr_aux_args, host, 48);
QR_ASSERT_SIZE(qr_aux_type, 40);
QR_ASSERT_OFFSET(qr_aux_type, flags, 4);
QR_ASSERT_OFFSET(qr_aux_type, create, 8);
QR_ASSERT_OFFSET(qr_aux_type, destroy, 16);
QR_ASSERT_OFFSET(qr_aux_type, handle, 24);
QR_ASSERT_OFFSET(qr_aux_type, background, 32);
QR_ASSERT_SIZE(qr_live_indexes, 16);
QR_ASSERT_OFFSET(qr_live_indexes, live_indexes, 8);

#endif
