/* Effects: what a machine asks its host to do. The vocabulary is that of RabbitMQ's ra; timers and
 * monitors are replicated state here, so nothing has to be issued again after a leader change.
 *
 * An effect is one flat record: a qr_effect, then key_size bytes of key, then body_size bytes of
 * body, then zeros up to a multiple of 8. The same bytes serve the executor, the outcome hash and a
 * worker process. Effects of an entry run in the order of their emission, after the batch has been
 * applied; a replay up to the executed watermark runs none.
 */
#ifndef QUORATE_EFFECT_H
#define QUORATE_EFFECT_H

#include <quorate/abi_base.h>

QR_BEGIN_C

typedef struct qr_effect {
    uint32_t size;      /* of the whole record, padding included: a multiple of 8 */
    uint16_t head;      /* sizeof(qr_effect) as the writer knows it: where the key begins */
    uint16_t kind;      /* QR_EFFECT_... */
    uint32_t flags;     /* QR_RUN_... and what the kind allows */
    uint32_t key_size;  /* at most QR_KEY_SIZE_MAX */
    uint32_t body_size; /* at most QR_BODY_SIZE_MAX */
    uint32_t reserved;
    uint64_t target; /* a session or an index, by kind; 0 where unused */
    int64_t value;   /* a time, an index or a qr_watch, by kind; 0 where unused */
    uint64_t token;  /* comes back to the machine with the outcome; 0 where unused */
} qr_effect;

/* Kinds, and which fields they use. Unused fields are zero; the host refuses others as a fault. */
enum {
    /* The reply of this entry comes later, through QR_EFFECT_REPLY_TO. The host keeps the
     * correlation in replicated state until it is answered or its session is gone. */
    QR_EFFECT_DEFER = 1,
    /* target: index of a deferred entry; body: the reply. Runs: any. An index without a deferred
     * reply is ignored. */
    QR_EFFECT_REPLY_TO = 2,
    /* target: session; body: message. At most once; numbered per session, so a client sees gaps.
     * Runs: leader, or QR_RUN_LOCAL. */
    QR_EFFECT_SEND = 3,
    /* key: name; value: milliseconds from the entry's time_ms, at least 0. When due, the leader
     * appends a QR_ENTRY_TIMER with the name. One timer per name: setting it again replaces it. */
    QR_EFFECT_TIMER = 4,
    /* The same with value: milliseconds since 1970, on the clock of qr_entry.time_ms. */
    QR_EFFECT_TIMER_AT = 5,
    /* key: name. No timer of that name is no error. A firing already in the log still arrives. */
    QR_EFFECT_TIMER_CANCEL = 6,
    /* body: a command, appended by the leader as a QR_ENTRY_COMMAND. target: the session to credit
     * it to, or 0; token: its correlation. Flags: QR_APPEND_LOW_PRIORITY. */
    QR_EFFECT_APPEND = 7,
    /* The same on whatever member emits it (aux machines): a follower forwards it once. */
    QR_EFFECT_TRY_APPEND = 8,
    /* value: a qr_watch; target: the session, or key: the host's or group's name. The leader
     * appends ..._DOWN or ..._UP at each change, and at once if it is down already. */
    QR_EFFECT_MONITOR = 9,
    QR_EFFECT_DEMONITOR = 10, /* fields as in QR_EFFECT_MONITOR */
    /* body: a message to the aux machine. Runs: all members, or QR_RUN_LEADER_ONLY. */
    QR_EFFECT_AUX = 11,
    /* body: log indexes as uint64_t; token. The aux machine gets them as QR_AUX_LOG; entries that
     * are gone are left out. Runs: leader, or QR_RUN_LOCAL with target: the session that says
     * where. */
    QR_EFFECT_READ_LOG = 12,
    /* target: session; body: log indexes as uint64_t; token. The host sends those entries to the
     * session without passing them through the plugin. Runs: leader, or QR_RUN_LOCAL. */
    QR_EFFECT_SEND_LOG = 13,
    /* target: index at or below this entry's: the log up to there is no longer needed. A hint; the
     * host takes the snapshot when it suits. Flags: QR_WHEN_WRITTEN with value: an index that must
     * be durable first; QR_WHEN_NO_SNAPSHOT_SENDS. Runs: all. */
    QR_EFFECT_RELEASE_CURSOR = 14,
    /* A snapshot of the state as of this entry that truncates nothing. target: its index. Runs:
       all. */
    QR_EFFECT_CHECKPOINT = 15,
    /* target: index: the newest checkpoint at or below it becomes the snapshot. Runs: all. */
    QR_EFFECT_PROMOTE_CHECKPOINT = 16,
    /* The machine has let go of much memory; the host may return it to the system. Runs: all. */
    QR_EFFECT_TRIM_MEMORY = 17,
    /* body: a task for qr_aux_type.background on a worker. Runs: all, or QR_RUN_LEADER_ONLY. */
    QR_EFFECT_BACKGROUND = 18
};

/* Who runs an effect; the low three bits of flags. 0 is the kind's own default as listed above. */
enum {
    QR_RUN_DEFAULT = 0,
    QR_RUN_LEADER_ONLY = 1,
    QR_RUN_LOCAL = 2,  /* the voter that holds the target session's connection, else the leader */
    QR_RUN_ALL = 3,    /* every member */
    QR_RUN_MEMBER = 4, /* the member named by the key; only for QR_EFFECT_REPLY_TO */
    QR_RUN_MASK = 7
};

enum {
    QR_APPEND_LOW_PRIORITY = 1 << 3,
    QR_WHEN_WRITTEN = 1 << 4,
    QR_WHEN_NO_SNAPSHOT_SENDS = 1 << 5
};

/* What a monitor watches. */
enum { QR_WATCH_SESSION = 1, QR_WATCH_HOST = 2, QR_WATCH_GROUP = 3 };

/* Limits that would change an outcome are the ABI's, so that all hosts share them. Passing one is a
 * fault. */
#define QR_KEY_SIZE_MAX 1024u
#define QR_BODY_SIZE_MAX (16u * 1024u * 1024u)
#define QR_REPLY_SIZE_MAX (16u * 1024u * 1024u)
#define QR_EFFECTS_PER_ENTRY_MAX 65536u

/* Takes replies and effects during one call and copies them. Calls never fail: what passes a limit
 * makes the host fault the batch after the call. */
typedef struct qr_fx {
    uint32_t size;
    uint32_t reserved;
    void* ctx;
    /* The reply of the entry at that position of the batch; at most one. Without one the host
     * replies with no bytes. [apply] [aux] */
    void (*reply)(struct qr_fx*, uint32_t entry, qr_bytes);
    /* The record, complete as described above and 8-byte aligned. [apply] [aux] */
    void (*emit)(struct qr_fx*, uint32_t entry, const qr_effect*);
} qr_fx;

/* The common form of a deterministic "no": an ordinary reply that begins with this head and goes on
 * with text_size bytes of UTF-8. Recognised by size and mark, so a machine whose replies could
 * begin with bytes of a client's choosing puts something of its own in front of them. */
#define QR_REJECTION_MARK "\377qr.no\1\0"
typedef struct qr_rejection {
    uint8_t mark[8];
    int32_t code; /* the machine's own, not 0 */
    uint32_t text_size;
} qr_rejection;

/* What the record of an effect with that key and body occupies. */
static inline uint32_t qr_effect_size(uint32_t key_size, uint32_t body_size) {
    return ((uint32_t)sizeof(qr_effect) + key_size + body_size + 7u) & ~7u;
}
static inline qr_bytes qr_effect_key(const qr_effect* effect) {
    qr_bytes bytes = {(const uint8_t*)effect + effect->head, effect->key_size};
    return bytes;
}
static inline qr_bytes qr_effect_body(const qr_effect* effect) {
    qr_bytes bytes = {(const uint8_t*)effect + effect->head + effect->key_size, effect->body_size};
    return bytes;
}

QR_END_C

QR_ASSERT_SIZE(qr_effect, 48);
QR_ASSERT_OFFSET(qr_effect, head, 4);
QR_ASSERT_OFFSET(qr_effect, kind, 6);
QR_ASSERT_OFFSET(qr_effect, flags, 8);
QR_ASSERT_OFFSET(qr_effect, key_size, 12);
QR_ASSERT_OFFSET(qr_effect, body_size, 16);
QR_ASSERT_OFFSET(qr_effect, target, 24);
QR_ASSERT_OFFSET(qr_effect, value, 32);
QR_ASSERT_OFFSET(qr_effect, token, 40);
QR_ASSERT_SIZE(qr_fx, 32);
QR_ASSERT_OFFSET(qr_fx, ctx, 8);
QR_ASSERT_OFFSET(qr_fx, reply, 16);
QR_ASSERT_OFFSET(qr_fx, emit, 24);
QR_ASSERT_SIZE(qr_rejection, 16);
QR_ASSERT_OFFSET(qr_rejection, code, 8);
QR_ASSERT_OFFSET(qr_rejection, text_size, 12);

#endif
