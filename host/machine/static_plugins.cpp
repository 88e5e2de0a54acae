#include "host/machine/static_plugins.hpp"

#include "host/machine/sha256.hpp"

namespace quorate::machine {

Result<PluginRecord> StaticPlugins::add(qr_plugin_entry entry) {
    LoadedBuild& build = make_build(program_);
    ImageRanges program = ImageRanges::around(reinterpret_cast<const void*>(entry));
    TRY_VOID(enter(build, entry, program));
    Manifest& manifest = build.record.manifest = build.tables.manifest;
    manifest.json = write_manifest(manifest);
    build.record.installed = loaded().size() + 1;
    build.record.build = sha256_hex(
        as_bytes("static " + manifest.id + "@" + manifest.version + " " + manifest.build));
    if (find(build.record.build) != nullptr) {
        return fail(Errc::plugin_refused, "plugin " + title(manifest) + " is there already");
    }
    if (auto published = publish(build); !published.has_value()) {
        return within("plugin " + title(manifest), published.error());
    }
    return build.record;
}

}  // namespace quorate::machine
