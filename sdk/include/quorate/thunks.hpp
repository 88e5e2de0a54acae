#pragma once

// One C function per entry of qr_machine_type for a machine class M. Each is noexcept; what M
// throws becomes a status with text. Thread: each function has the role that <quorate/plugin.h>
// gives it.

#include <quorate/aux.h>
#include <quorate/concepts.hpp>
#include <quorate/guard.hpp>
#include <quorate/text_thunks.hpp>

#pragma GCC visibility push(hidden)
namespace quorate {
inline namespace sdk {
namespace detail {

template <class M>
class Thunks {
    static_assert(check_machine<M>());
    using V = ViewType<M>;

    static M& machine(qr_machine* handle) { return *reinterpret_cast<M*>(handle); }
    static const M& machine(const qr_machine* handle) {
        return *reinterpret_cast<const M*>(handle);
    }
    static const V& view(const qr_view* handle) { return *reinterpret_cast<const V*>(handle); }

    static M* make(const Setup& setup) {
        if constexpr (std::is_constructible_v<M, const Setup&>)
            return new M(setup);
        else
            return new M();
    }

    // Entries that a machine has no handler for leave it as it is and get an empty reply.
    static void dispatch(M& machine, Command command, Effects& fx) {
        switch (command.kind()) {
            case Kind::command:
                machine.apply(command, fx);
                break;
            case Kind::timer:
                if constexpr (HandlesTimers<M>) machine.on_timer(command, fx);
                break;
            case Kind::session_up:
                if constexpr (HandlesSessionUp<M>) machine.on_session_up(command, fx);
                break;
            case Kind::session_down:
                if constexpr (HandlesSessionDown<M>) machine.on_session_down(command, fx);
                break;
            case Kind::host_up:
                if constexpr (HandlesHostUp<M>) machine.on_host_up(command, fx);
                break;
            case Kind::host_down:
                if constexpr (HandlesHostDown<M>) machine.on_host_down(command, fx);
                break;
            case Kind::group_up:
                if constexpr (HandlesGroupUp<M>) machine.on_group_up(command, fx);
                break;
            case Kind::group_down:
                if constexpr (HandlesGroupDown<M>) machine.on_group_down(command, fx);
                break;
        }
    }

    static void apply_each(M& machine, Batch batch, qr_fx* sink, std::uint64_t& index) {
        for (Command command : batch) {
            index = command.index();
            Effects fx(sink, command.position(), handles_of<M>);
            try {
                dispatch(machine, command, fx);
            } catch (const Rejection& rejection) {
                fx.reject(rejection.code(), rejection.text());
            }
        }
    }

 public:
    static std::int32_t create(const qr_create_args* args, qr_machine** out,
                               qr_error* error) noexcept {
        return guarded(error, [&] { *out = reinterpret_cast<qr_machine*>(make(Setup(*args))); });
    }
    static void destroy(qr_machine* handle) noexcept { delete &machine(handle); }

    static std::int32_t apply(qr_machine* handle, const qr_batch* entries, qr_fx* sink,
                              qr_error* error) noexcept {
        Batch batch(*entries);
        std::uint64_t index = batch.size() == 0 ? 0 : batch[0].index();
        try {
            if constexpr (AppliesBatches<M>) {
                Effects fx(sink, 0, handles_of<M>);
                machine(handle).apply_batch(batch, fx);
            } else {
                apply_each(machine(handle), batch, sink, index);
            }
            return QR_OK;
        } catch (...) {
            // Also a rejection that left apply_batch(): nobody can tell whose reply it is.
            status_of_exception(error, index);
            return QR_FAULT;
        }
    }

    static std::int32_t query(const qr_machine* handle, const qr_query* question, qr_writer* sink,
                              qr_error* error) noexcept {
        return answer(machine(handle), question, sink, error);
    }
    static std::int32_t view_query(const qr_view* handle, const qr_query* question, qr_writer* sink,
                                   qr_error* error) noexcept {
        return answer(view(handle), question, sink, error);
    }

    static std::int32_t view_open(qr_machine* handle, qr_view** out, qr_error* error) noexcept {
        return guarded(error, [&] {
            const M& source = machine(handle);
            if constexpr (GivesViews<M>)
                *out = reinterpret_cast<qr_view*>(new V(source.view()));
            else
                *out = reinterpret_cast<qr_view*>(new V(source));
        });
    }
    static std::int32_t view_save(const qr_view* handle, qr_writer* sink, const qr_cancel* cancel,
                                  qr_error* error) noexcept {
        return guarded(error, [&] {
            BlockOutput output(sink, cancel);
            view(handle).save(Writer(output));
            output.finish();
        });
    }
    static void view_close(qr_view* handle) noexcept { delete &view(handle); }

    static std::int32_t load(qr_machine* handle, const qr_snapshot_info* snapshot,
                             qr_reader* source, const qr_cancel* cancel, qr_error* error) noexcept {
        return guarded(error, [&] {
            BlockInput input(source, cancel);
            Reader reader(input);
            if constexpr (LoadsVersions<M>)
                machine(handle).load(reader, snapshot->machine_version);
            else
                machine(handle).load(reader);
            if (!reader.at_end()) reject_malformed("the snapshot goes on after its end");
        });
    }

    static std::int32_t upgrade(qr_machine* handle, const qr_upgrade* args, qr_fx* sink,
                                qr_error* error) noexcept {
        return guarded(error, [&] {
            Effects fx(sink, 0, handles_of<M>);
            Upgrade step{args->from_version, args->to_version, args->index, args->time_ms};
            machine(handle).upgrade(step, fx);
        });
    }
    static std::int32_t hash(const qr_view* handle, std::uint64_t out[2],
                             qr_error* error) noexcept {
        return guarded(error, [&] {
            std::array<std::uint64_t, 2> bits = view(handle).hash();
            out[0] = bits[0];
            out[1] = bits[1];
        });
    }
    static std::int32_t overview(const qr_machine* handle, qr_writer* sink,
                                 qr_error* error) noexcept {
        return guarded(error, [&] {
            PlainOutput output(sink);
            output.write(machine(handle).overview());
            output.flush();
        });
    }
    static std::int32_t live_indexes(const qr_view* handle, qr_writer* sink,
                                     qr_error* error) noexcept {
        return guarded(error, [&] {
            PlainOutput output(sink);
            Writer out(output);
            for (std::uint64_t index : view(handle).live_indexes()) out.put(index);
            output.flush();
        });
    }

 private:
    template <class Answering>
    static std::int32_t answer(const Answering& state, const qr_query* question, qr_writer* sink,
                               qr_error* error) noexcept {
        return guarded(error, [&] {
            PlainOutput output(sink);
            state.query(from_abi(question->data), Writer(output));
            output.flush();
        });
    }
};

template <class M>
inline constexpr qr_live_indexes live_indexes_of{sizeof(qr_live_indexes), 0,
                                                 &Thunks<M>::live_indexes};

template <class M>
const void* extension_of(const qr_machine_type*, const char* id) noexcept {
    std::string_view wanted = id;
    if constexpr (HasText<M>) {
        if (wanted == QR_TEXT_ID) return &text_of<M>;
    }
    if constexpr (NamesLiveIndexes<ViewType<M>>) {
        if (wanted == QR_LIVE_INDEXES_ID) return &live_indexes_of<M>;
    }
    return nullptr;
}

template <class M>
consteval qr_machine_type make_type(const char* name) {
    using T = Thunks<M>;
    qr_machine_type type{};
    type.size = sizeof(qr_machine_type);
    type.kind = QR_MEMORY;
    type.name = name;
    type.version_min = version_min<M>();
    type.version_max = version_max<M>();
    type.flags = flags_of<M>();
    type.create = &T::create;
    type.destroy = &T::destroy;
    type.apply = &T::apply;
    type.view_open = &T::view_open;
    type.view_save = &T::view_save;
    type.view_close = &T::view_close;
    type.load = &T::load;
    type.extension = &extension_of<M>;
    if constexpr (AnswersQueries<M>) type.query = &T::query;
    if constexpr (AnswersQueries<ViewType<M>>) type.view_query = &T::view_query;
    if constexpr (Upgrades<M>) type.upgrade = &T::upgrade;
    if constexpr (Hashes<ViewType<M>>) type.hash = &T::hash;
    if constexpr (GivesOverview<M>) type.overview = &T::overview;
    return type;
}

}  // namespace detail
}  // namespace sdk
}  // namespace quorate
#pragma GCC visibility pop
