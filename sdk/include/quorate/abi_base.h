/* What every part of the plugin ABI is made of: bytes, status, errors, streams, cancellation.
 *
 * Rules of the whole ABI (decision: docs of sdk/README.md):
 * - C11, 64-bit little endian. No C++ type, exception, FILE*, errno or locale crosses the boundary.
 * - Structs that may grow begin with their size in bytes, as the writer of the struct knows it, and
 *   grow at the end only. Fields named reserved are zero. Arrays carry their stride.
 * - Arguments are borrowed until the call returns. Results leave through a sink that copies. Nobody
 *   frees the other side's memory; what must outlive a call has retain and release.
 * - Every function is tagged with the role in which it is called, which is not an OS thread:
 *     [control]     one at a time per machine, never beside another call on the same machine
 *     [apply]       one at a time per group, never beside [control]; any OS thread
 *     [background]  any worker, beside [apply] on the same machine
 *     [aux]         one at a time per group's aux machine, beside [apply]
 *     [any]         any thread, any number at once
 * - A function pointer that is null means "not offered"; those marked required may not be null.
 */
#ifndef QUORATE_ABI_BASE_H
#define QUORATE_ABI_BASE_H

#include <stddef.h>
#include <stdint.h>

/* The ABI's version: the major number is in the entry symbol's name, the minor counts additions. */
#define QR_ABI_MAJOR 1u
#define QR_ABI_MINOR 0u
#define QR_ABI ((QR_ABI_MAJOR << 16) | QR_ABI_MINOR)

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the Quorate plugin ABI is defined for little-endian machines only"
#endif

#ifdef __cplusplus
#define QR_EXTERN_C extern "C"
#define QR_BEGIN_C extern "C" {
#define QR_END_C }
#define QR_STATIC_ASSERT(condition) static_assert(condition, #condition)
#else
#define QR_EXTERN_C extern
#define QR_BEGIN_C
#define QR_END_C
#define QR_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define QR_EXPORT QR_EXTERN_C __attribute__((visibility("default")))

/* Holds a v1 struct to its published form: any change of it is a change of the ABI. */
#define QR_ASSERT_SIZE(type, bytes) QR_STATIC_ASSERT(sizeof(type) == (bytes))
#define QR_ASSERT_OFFSET(type, field, bytes) QR_STATIC_ASSERT(offsetof(type, field) == (bytes))
QR_STATIC_ASSERT(sizeof(void*) == 8);

QR_BEGIN_C

/* Borrowed bytes. data may be null when size is 0. Frozen: never grows. */
typedef struct qr_bytes {
    const uint8_t* data;
    uint64_t size;
} qr_bytes;

/* What a function returns, as int32_t. Anything but QR_OK comes with a filled qr_error where the
 * function takes one. */
enum {
    QR_OK = 0,
    QR_FAULT = 1, /* the machine can not go on: a bug, an exception, no memory. Never a reply. */
    QR_IO = 2,    /* a stream or file failed; as writer and reader return it */
    QR_CANCELLED = 3,   /* stopped because the caller asked for it */
    QR_UNSUPPORTED = 4, /* not offered by this build */
    QR_REFUSED = 5 /* the input is not acceptable: malformed query, words, snapshot, configuration.
                           State is unchanged. Not for apply: there a rejection is a reply. */
};

/* Host memory that the plugin fills: no ownership to hand over. */
typedef struct qr_error {
    uint32_t size;
    int32_t code;   /* a status, or the machine's own number above 1000 */
    uint64_t index; /* apply: index of the entry at fault; 0 otherwise */
    char text[240]; /* a sentence in UTF-8, zero-terminated */
} qr_error;

/* A stream to write to. ctx belongs to the host. */
typedef struct qr_writer {
    uint32_t size;
    uint32_t reserved;
    void* ctx;
    /* Takes all bytes, copying, or fails; after a failure the plugin stops and returns that status.
     * The context is that of the call that was given the writer. */
    int32_t (*write)(struct qr_writer*, qr_bytes);
} qr_writer;

/* A stream to read from. */
typedef struct qr_reader {
    uint32_t size;
    uint32_t reserved;
    void* ctx;
    /* Reads 1 to `size` bytes and stores how many in *got; 0 is the end. May be short at any
       time. */
    int32_t (*read)(struct qr_reader*, uint8_t* into, uint64_t size, uint64_t* got);
} qr_reader;

/* Long functions ask it now and then (every few milliseconds) and return QR_CANCELLED when it says
 * 1. [any] */
typedef struct qr_cancel {
    uint32_t size;
    uint32_t reserved;
    const void* ctx;
    int32_t (*is_cancelled)(const struct qr_cancel*);
} qr_cancel;

/* Counted bytes: who calls retain() may use the bytes until release(). [any] */
typedef struct qr_buf {
    uint32_t size;
    uint32_t reserved;
    void (*retain)(const struct qr_buf*);
    void (*release)(const struct qr_buf*);
} qr_buf;

QR_END_C

QR_ASSERT_SIZE(qr_bytes, 16);
QR_ASSERT_OFFSET(qr_bytes, size, 8);
QR_ASSERT_SIZE(qr_error, 256);
QR_ASSERT_OFFSET(qr_error, code, 4);
QR_ASSERT_OFFSET(qr_error, index, 8);
QR_ASSERT_OFFSET(qr_error, text, 16);
QR_ASSERT_SIZE(qr_writer, 24);
QR_ASSERT_OFFSET(qr_writer, ctx, 8);
QR_ASSERT_OFFSET(qr_writer, write, 16);
QR_ASSERT_SIZE(qr_reader, 24);
QR_ASSERT_OFFSET(qr_reader, ctx, 8);
QR_ASSERT_OFFSET(qr_reader, read, 16);
QR_ASSERT_SIZE(qr_cancel, 24);
QR_ASSERT_OFFSET(qr_cancel, ctx, 8);
QR_ASSERT_OFFSET(qr_cancel, is_cancelled, 16);
QR_ASSERT_SIZE(qr_buf, 24);
QR_ASSERT_OFFSET(qr_buf, retain, 8);
QR_ASSERT_OFFSET(qr_buf, release, 16);

#endif
