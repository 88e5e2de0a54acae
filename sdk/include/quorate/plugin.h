/* The plugin ABI v1: a shared library with one exported symbol, qr_plugin_entry_v1, that offers
 * machine types. C++ authors use <quorate/machine.hpp>, which fills all of this in. The rules that
 * every part follows, and what the tags [apply] ... [any] mean, stand in <quorate/abi_base.h>.
 *
 * How a host uses a machine type:
 *   create, then load (if there is a snapshot), then apply for batch after batch; query between
 *   batches; view_open between batches, then view_save, view_query, hash beside later batches, then
 *   view_close; destroy after the last view is closed.
 */
#ifndef QUORATE_PLUGIN_H
#define QUORATE_PLUGIN_H

#include <quorate/abi_base.h>
#include <quorate/effect.h>
#include <quorate/manifest.h>
#include <quorate/text.h>

QR_BEGIN_C

typedef struct qr_machine qr_machine; /* the plugin's own: one member's state */
typedef struct qr_view qr_view;       /* the plugin's own: the state as it was at one index */

/* What a log entry is. */
enum {
    QR_ENTRY_COMMAND = 0,      /* data: the client's or the machine's command */
    QR_ENTRY_TIMER = 1,        /* data: the timer's name */
    QR_ENTRY_SESSION_UP = 2,   /* session: its id */
    QR_ENTRY_SESSION_DOWN = 3, /* session: its id; data: why, as text */
    QR_ENTRY_HOST_UP = 4,      /* data: the host's name */
    QR_ENTRY_HOST_DOWN = 5,
    QR_ENTRY_GROUP_UP = 6, /* data: the group's name */
    QR_ENTRY_GROUP_DOWN = 7,
    QR_ENTRY_UPGRADE = 8 /* comes through upgrade(), never in a batch */
};

enum {
    QR_ENTRY_NO_REPLY = 1 << 0 /* nobody waits: a reply is hashed and dropped */
};

/* One committed entry. State and outcome may depend on these fields, the state, and the machine
 * version alone: no clock, randomness, environment, address values or hashed containers' order. */
typedef struct qr_entry {
    uint64_t index;
    uint64_t term;
    int64_t time_ms; /* the leader's clock, ms since 1970, never below its predecessor's */
    uint32_t kind;
    uint32_t flags;
    uint64_t session; /* 0: none; else the index of the entry that opened it */
    uint64_t correlation;
    qr_bytes data;     /* 8-byte aligned */
    const qr_buf* buf; /* keeps data beyond the call; may be null, then copy */
} qr_entry;

/* A batch is whatever is committed; outcomes must not depend on where it is cut. */
typedef struct qr_batch {
    uint32_t size;
    uint32_t stride; /* of entries: a multiple of 8, at least sizeof(qr_entry) of ABI 1.0 */
    uint32_t count;
    uint32_t machine_version; /* in force for all its entries */
    const void* entries;      /* qr_entry */
    uint64_t group;
} qr_batch;

static inline const qr_entry* qr_batch_entry(const qr_batch* batch, uint32_t i) {
    return (const qr_entry*)(const void*)((const char*)batch->entries +
                                          (uint64_t)i * batch->stride);
}

enum {
    QR_READ_LOCAL = 0,
    QR_READ_LEADER = 1,
    QR_READ_LINEARIZABLE = 2,
    QR_READ_LEASE = 3,
    QR_READ_BOUNDED = 4
};

typedef struct qr_query {
    uint32_t size;
    uint32_t consistency; /* QR_READ_..., how the client asked; the machine need not care */
    uint64_t index;       /* everything up to here is applied */
    uint64_t term;
    int64_t time_ms; /* this member's clock: not replicated, for display and ages only */
    qr_bytes data;   /* 8-byte aligned */
} qr_query;

typedef struct qr_snapshot_info {
    uint32_t size;
    uint32_t machine_version; /* in force at index; load() must accept version_min to version_max */
    uint64_t index;
    uint64_t term;
    int64_t time_ms; /* of the entry at index */
    uint64_t group;
} qr_snapshot_info;

typedef struct qr_upgrade {
    uint32_t size;
    uint32_t from_version;
    uint32_t to_version;
    uint32_t reserved;
    uint64_t index; /* of the entry that switches */
    uint64_t term;
    int64_t time_ms;
} qr_upgrade;

enum { QR_LOG_DEBUG = 0, QR_LOG_INFO = 1, QR_LOG_WARNING = 2, QR_LOG_ERROR = 3 };

/* The host towards its plugins. Lives as long as the process. */
typedef struct qr_host {
    uint32_t size;
    uint32_t abi;        /* QR_ABI of the host */
    const char* name;    /* e.g. "quorated" */
    const char* version; /* of the host program, for people */
    void* ctx;
    /* One line for the operator; never part of the outcome. May be dropped. [any] */
    void (*log)(const struct qr_host*, int32_t level, qr_bytes text);
    /* A struct that the id "quorate.<name>/<revision>" names, or null. [any] */
    const void* (*extension)(const struct qr_host*, const char* id);
} qr_host;

typedef struct qr_create_args {
    uint32_t size;
    uint32_t machine_version; /* in force at the start */
    uint64_t group;
    qr_bytes group_name;
    qr_bytes config; /* as given at `group create`: replicated, equal on all members */
    const qr_host* host;
    void* instance; /* names this machine to host extensions */
} qr_create_args;

enum {
    QR_MEMORY = 1,  /* the plugin holds the state and gives views of it */
    QR_KV = 2,      /* the host holds the state (extension "quorate.kv/1"): no views, no load */
    QR_EXTERNAL = 3 /* the plugin holds the state in files of its own */
};

enum {
    QR_QUERY_CONCURRENT = 1 << 0,   /* query is [any], beside apply */
    QR_CANONICAL_SNAPSHOT = 1 << 1, /* equal states give equal bytes, whatever their history */
    QR_TICK = 1 << 2,               /* the aux machine wants QR_AUX_TICK */
    QR_SLOW_APPLY = 1 << 3          /* apply may block or take long: give it a pool thread */
};

/* One kind of machine. Static memory. */
typedef struct qr_machine_type {
    uint32_t size;
    uint32_t kind;
    const char* name; /* within the plugin: a-z 0-9 - _ */
    uint32_t
        version_min; /* oldest machine version whose log and snapshots this build understands */
    uint32_t version_max; /* newest */
    uint32_t flags;
    uint32_t reserved;

    /* Required. QR_REFUSED for a bad configuration. [control] */
    int32_t (*create)(const qr_create_args*, qr_machine**, qr_error*);
    /* Required; all views are closed. [control] */
    void (*destroy)(qr_machine*);
    /* QR_EXTERNAL only, required there: *applied is the last index its durable state holds.
       [control] */
    int32_t (*open)(qr_machine*, uint64_t* applied, qr_error*);
    /* Required. Applies all entries, in order. After any failure the machine is only destroyed; the
     * error names the index, and what was emitted for earlier entries stands. [apply] */
    int32_t (*apply)(qr_machine*, const qr_batch*, qr_fx*, qr_error*);
    /* QR_REFUSED with a sentence for a query it does not understand. [apply], [any] if
       concurrent */
    int32_t (*query)(const qr_machine*, const qr_query*, qr_writer*, qr_error*);
    /* QR_MEMORY and QR_EXTERNAL: required. Short: apply waits for it. [apply] */
    int32_t (*view_open)(qr_machine*, qr_view**, qr_error*);
    int32_t (*view_save)(const qr_view*, qr_writer*, const qr_cancel*,
                         qr_error*); /* [background] */
    int32_t (*view_query)(const qr_view*, const qr_query*, qr_writer*,
                          qr_error*); /* [background] */
    void (*view_close)(qr_view*);     /* [background] */
    /* QR_MEMORY and QR_EXTERNAL: required. Into a fresh machine. QR_REFUSED for bytes that are no
     * snapshot, whatever they are; then the machine is only destroyed. [control] */
    int32_t (*load)(qr_machine*, const qr_snapshot_info*, qr_reader*, const qr_cancel*, qr_error*);
    /* At the entry that switches the version, with the new build. Null: nothing to do. [apply] */
    int32_t (*upgrade)(qr_machine*, const qr_upgrade*, qr_fx*, qr_error*);
    /* QR_EXTERNAL: makes what is applied durable. [background] */
    int32_t (*sync)(qr_machine*, qr_error*);
    /* 128 bits over the state. Null: the host hashes view_save's bytes if canonical.
       [background] */
    int32_t (*hash)(const qr_view*, uint64_t out[2], qr_error*);
    /* Small JSON object for operators, in constant time or nearly. [apply] */
    int32_t (*overview)(const qr_machine*, qr_writer*, qr_error*);
    /* A static struct that the id names, or null: QR_TEXT_ID, QR_AUX_ID, ... [any] */
    const void* (*extension)(const struct qr_machine_type*, const char* id);
} qr_machine_type;

/* What the entry returns. Static memory. */
typedef struct qr_plugin {
    uint32_t size;
    uint32_t abi;        /* QR_ABI of the headers it was built with */
    const char* id;      /* "com.example.cart": as in the manifest */
    const char* version; /* for people */
    const char* build;   /* source revision, for people; may be empty */
    uint32_t machine_count;
    uint32_t reserved;
    const qr_machine_type* const* machines;
    /* Once per process before the first create; may be null. QR_REFUSED declines. [control] */
    int32_t (*load)(const qr_host*, qr_error*);
    void (*unload)(void); /* may be null; a production host never unloads. [control] */
} qr_plugin;

/* The one exported symbol. Pure: no threads, no I/O; may be called many times, and returns the
 * same. Null declines, with the reason in the error. [any] */
typedef const qr_plugin* (*qr_plugin_entry)(const qr_host*, qr_error*);
#define QR_PLUGIN_ENTRY_SYMBOL "qr_plugin_entry_v1"

/* A plugin linked statically (tests, the simulator) is compiled with -DQUORATE_STATIC=<name>; its
 * entry is then called qr_plugin_entry_v1_<name>, so that several share one program. */
#define QR_CONCAT_(a, b) a##b
#define QR_CONCAT(a, b) QR_CONCAT_(a, b)
#define QR_STATIC_ENTRY(name) QR_CONCAT(qr_plugin_entry_v1_, name)
#define QR_DECLARE_STATIC_PLUGIN(name) \
    QR_EXTERN_C const qr_plugin* QR_STATIC_ENTRY(name)(const qr_host*, qr_error*)
#ifdef QUORATE_STATIC
#define QR_ENTRY QR_STATIC_ENTRY(QUORATE_STATIC)
#else
#define QR_ENTRY qr_plugin_entry_v1
#endif

QR_END_C

QR_EXPORT const qr_plugin* QR_ENTRY(const qr_host* host, qr_error* error);

QR_ASSERT_SIZE(qr_entry, 72);
QR_ASSERT_OFFSET(qr_entry, term, 8);
QR_ASSERT_OFFSET(qr_entry, time_ms, 16);
QR_ASSERT_OFFSET(qr_entry, kind, 24);
QR_ASSERT_OFFSET(qr_entry, flags, 28);
QR_ASSERT_OFFSET(qr_entry, session, 32);
QR_ASSERT_OFFSET(qr_entry, correlation, 40);
QR_ASSERT_OFFSET(qr_entry, data, 48);
QR_ASSERT_OFFSET(qr_entry, buf, 64);
QR_ASSERT_SIZE(qr_batch, 32);
QR_ASSERT_OFFSET(qr_batch, stride, 4);
QR_ASSERT_OFFSET(qr_batch, count, 8);
QR_ASSERT_OFFSET(qr_batch, machine_version, 12);
QR_ASSERT_OFFSET(qr_batch, entries, 16);
QR_ASSERT_OFFSET(qr_batch, group, 24);
QR_ASSERT_SIZE(qr_query, 48);
QR_ASSERT_OFFSET(qr_query, consistency, 4);
QR_ASSERT_OFFSET(qr_query, index, 8);
QR_ASSERT_OFFSET(qr_query, term, 16);
QR_ASSERT_OFFSET(qr_query, time_ms, 24);
QR_ASSERT_OFFSET(qr_query, data, 32);
QR_ASSERT_SIZE(qr_snapshot_info, 40);
QR_ASSERT_OFFSET(qr_snapshot_info, machine_version, 4);
QR_ASSERT_OFFSET(qr_snapshot_info, index, 8);
QR_ASSERT_OFFSET(qr_snapshot_info, term, 16);
QR_ASSERT_OFFSET(qr_snapshot_info, time_ms, 24);
QR_ASSERT_OFFSET(qr_snapshot_info, group, 32);
QR_ASSERT_SIZE(qr_upgrade, 40);
QR_ASSERT_OFFSET(qr_upgrade, from_version, 4);
QR_ASSERT_OFFSET(qr_upgrade, to_version, 8);
QR_ASSERT_OFFSET(qr_upgrade, index, 16);
QR_ASSERT_OFFSET(qr_upgrade, term, 24);
QR_ASSERT_OFFSET(qr_upgrade, time_ms, 32);
QR_ASSERT_SIZE(qr_host, 48);
QR_ASSERT_OFFSET(qr_host, abi, 4);
QR_ASSERT_OFFSET(qr_host, name, 8);
QR_ASSERT_OFFSET(qr_host, version, 16);
QR_ASSERT_OFFSET(qr_host, ctx, 24);
QR_ASSERT_OFFSET(qr_host, log, 32);
QR_ASSERT_OFFSET(qr_host, extension, 40);
QR_ASSERT_SIZE(qr_create_args, 64);
QR_ASSERT_OFFSET(qr_create_args, machine_version, 4);
QR_ASSERT_OFFSET(qr_create_args, group, 8);
QR_ASSERT_OFFSET(qr_create_args, group_name, 16);
QR_ASSERT_OFFSET(qr_create_args, config, 32);
QR_ASSERT_OFFSET(qr_create_args, host, 48);
QR_ASSERT_OFFSET(qr_create_args, instance, 56);
QR_ASSERT_SIZE(qr_machine_type, 152);
QR_ASSERT_OFFSET(qr_machine_type, kind, 4);
QR_ASSERT_OFFSET(qr_machine_type, name, 8);
QR_ASSERT_OFFSET(qr_machine_type, version_min, 16);
QR_ASSERT_OFFSET(qr_machine_type, version_max, 20);
QR_ASSERT_OFFSET(qr_machine_type, flags, 24);
QR_ASSERT_OFFSET(qr_machine_type, create, 32);
QR_ASSERT_OFFSET(qr_machine_type, destroy, 40);
QR_ASSERT_OFFSET(qr_machine_type, open, 48);
QR_ASSERT_OFFSET(qr_machine_type, apply, 56);
QR_ASSERT_OFFSET(qr_machine_type, query, 64);
QR_ASSERT_OFFSET(qr_machine_type, view_open, 72);
QR_ASSERT_OFFSET(qr_machine_type, view_save, 80);
QR_ASSERT_OFFSET(qr_machine_type, view_query, 88);
QR_ASSERT_OFFSET(qr_machine_type, view_close, 96);
QR_ASSERT_OFFSET(qr_machine_type, load, 104);
QR_ASSERT_OFFSET(qr_machine_type, upgrade, 112);
QR_ASSERT_OFFSET(qr_machine_type, sync, 120);
QR_ASSERT_OFFSET(qr_machine_type, hash, 128);
QR_ASSERT_OFFSET(qr_machine_type, overview, 136);
QR_ASSERT_OFFSET(qr_machine_type, extension, 144);
QR_ASSERT_SIZE(qr_plugin, 64);
QR_ASSERT_OFFSET(qr_plugin, abi, 4);
QR_ASSERT_OFFSET(qr_plugin, id, 8);
QR_ASSERT_OFFSET(qr_plugin, version, 16);
QR_ASSERT_OFFSET(qr_plugin, build, 24);
QR_ASSERT_OFFSET(qr_plugin, machine_count, 32);
QR_ASSERT_OFFSET(qr_plugin, machines, 40);
QR_ASSERT_OFFSET(qr_plugin, load, 48);
QR_ASSERT_OFFSET(qr_plugin, unload, 56);

#endif
