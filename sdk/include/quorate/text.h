/* Extension "quorate.text/1" of a machine type: its commands and queries as words, so that `quorate
 * submit demo put a 1` and `quorate query demo get a` work without knowing an encoding. The host
 * encodes and renders; a command line tool needs no plugin.
 */
#ifndef QUORATE_TEXT_H
#define QUORATE_TEXT_H

#include <quorate/abi_base.h>

QR_BEGIN_C

#define QR_TEXT_ID "quorate.text/1"

enum { QR_TEXT_COMMAND = 1, QR_TEXT_QUERY = 2 }; /* a line may be both: 3 */

/* One line of help: usage "put KEY VALUE", help "stores VALUE under KEY". Its first word names the
 * command. Zero-terminated UTF-8, static. */
typedef struct qr_text_usage {
    const char* usage;
    const char* help;
    uint32_t flags;
    uint32_t reserved;
} qr_text_usage;

/* The words include the first. A word may hold any bytes. All three are required and pure. */
typedef struct qr_text {
    uint32_t size;
    uint32_t stride; /* of usages */
    uint32_t count;
    uint32_t reserved;
    const void* usages; /* qr_text_usage */
    /* Writes the command's bytes. QR_REFUSED with a sentence for words that are no command.
       [any] */
    int32_t (*encode_command)(uint32_t argc, const qr_bytes* argv, qr_writer*, qr_error*);
    int32_t (*encode_query)(uint32_t argc, const qr_bytes* argv, qr_writer*, qr_error*);
    /* Writes the reply, a rejection too, as text for people, without a line feed at its end. The
     * words are those that were encoded; one name that is both command and query renders alike.
     * [any] */
    int32_t (*render_reply)(uint32_t argc, const qr_bytes* argv, qr_bytes reply, qr_writer*,
                            qr_error*);
} qr_text;

QR_END_C

QR_ASSERT_SIZE(qr_text_usage, 24);
QR_ASSERT_OFFSET(qr_text_usage, help, 8);
QR_ASSERT_OFFSET(qr_text_usage, flags, 16);
QR_ASSERT_SIZE(qr_text, 48);
QR_ASSERT_OFFSET(qr_text, count, 8);
QR_ASSERT_OFFSET(qr_text, usages, 16);
QR_ASSERT_OFFSET(qr_text, encode_command, 24);
QR_ASSERT_OFFSET(qr_text, encode_query, 32);
QR_ASSERT_OFFSET(qr_text, render_reply, 40);

#endif
