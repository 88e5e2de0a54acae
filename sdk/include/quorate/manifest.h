/* The manifest: what a plugin says of itself, readable without running any of its code.
 *
 * An ELF note in section .note.quorate of the loaded image: owner "Quorate", type 1, descriptor one
 * JSON object in UTF-8 of at most QR_MANIFEST_SIZE_MAX bytes, then up to 4 zero bytes that are no
 * part of it:
 *   {"id":"quorate.kv","version":"0.1.0","build":"","abi":65536,"sdk":"0.1.0",
 *    "machines":[{"name":"kv","kind":"memory","versions":[1,1],"commands":["put KEY VALUE"],
 *                 "queries":["get KEY"]}],
 *    "requires":[],"compiler":"g++ 12.2.0","libc":"glibc 2.36"}
 * abi is QR_ABI, kind is memory, kv or external, versions is [version_min, version_max], requires
 * lists host extensions without which the plugin declines, libc is what it was compiled against.
 * Readers ignore members they do not know. The C++ wrapper's QUORATE_PLUGIN writes the note from
 * the machine types themselves, so it can not disagree with them; a C plugin writes
 * QR_MANIFEST("{...}") once.
 */
#ifndef QUORATE_MANIFEST_H
#define QUORATE_MANIFEST_H

#include <quorate/abi_base.h>

#define QR_SDK_VERSION "0.1.0"
#define QR_MANIFEST_OWNER "Quorate"
#define QR_MANIFEST_TYPE 1u
#define QR_MANIFEST_SECTION ".note.quorate"
#define QR_MANIFEST_SIZE_MAX 4096u

/* Static plugins carry no note: one program may hold several of them. */
#ifdef QUORATE_STATIC
#define QR_NOTE_ATTRIBUTES __attribute__((unused))
#else
#define QR_NOTE_ATTRIBUTES __attribute__((section(QR_MANIFEST_SECTION), aligned(4), used))
#endif

#define QR_MANIFEST(json)                                                                 \
    QR_STATIC_ASSERT(sizeof(json) - 1 <= QR_MANIFEST_SIZE_MAX);                           \
    static const struct {                                                                 \
        uint32_t owner_size, json_size, type;                                             \
        char owner[sizeof QR_MANIFEST_OWNER];                                             \
        char text[(sizeof(json) + 3) & ~(size_t)3];                                       \
    } qr_manifest_note QR_NOTE_ATTRIBUTES = {sizeof QR_MANIFEST_OWNER,                    \
                                             (uint32_t)((sizeof(json) + 3) & ~(size_t)3), \
                                             QR_MANIFEST_TYPE, QR_MANIFEST_OWNER, json}

#endif
