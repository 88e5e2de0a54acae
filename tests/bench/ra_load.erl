%% A load on ra, for `./dev bench --peers`: a member of the group, and a client on a node of its own.
%%
%%     erl -s ra_load member -extra DIRECTORY
%%     erl -s ra_load form -extra NODE NODE NODE
%%     erl -s ra_load load -extra write|pipeline|read CLIENTS WINDOW PAYLOAD SECONDS NODE NODE NODE
-module(ra_load).
-behaviour(ra_machine).
-export([member/0, form/0, load/0]).
-export([init/1, apply/3]).

-define(KEYS, 1024).
-define(SNAPSHOT_EVERY, 16384).
-define(WARM_UP, 1000000).

%% ---- the machine: the last value of each key ------------------------------------------------------

init(_) -> #{}.

apply(#{index := Index}, {put, Key, Value}, State) ->
    New = State#{Key => Value},
    case Index rem ?SNAPSHOT_EVERY of
        0 -> {New, ok, [{release_cursor, Index, New}]};
        _ -> {New, ok}
    end.

%% ---- members --------------------------------------------------------------------------------------

member() ->
    [Directory] = init:get_plain_arguments(),
    {ok, _} = ra:start_in(Directory).

form() ->
    Nodes = nodes_of(init:get_plain_arguments()),
    [First | _] = Ids = [{bench, Node} || Node <- Nodes],
    [ok = await(Node, 100) || Node <- Nodes],
    {ok, _, []} = rpc:call(element(2, First), ra, start_cluster,
                           [default, bench, {module, ?MODULE, #{}}, Ids]),
    init:stop().

%% Until ra writes its log there.
await(Node, Tries) when Tries > 0 ->
    case rpc:call(Node, erlang, whereis, [ra_log_wal]) of
        Pid when is_pid(Pid) -> ok;
        _ -> timer:sleep(200), await(Node, Tries - 1)
    end.

nodes_of(Words) -> [list_to_atom(Word) || Word <- Words].

%% ---- clients --------------------------------------------------------------------------------------

load() ->
    [Workload, Clients, Window, Payload, Seconds | Nodes] = init:get_plain_arguments(),
    [First | _] = [{bench, Node} || Node <- nodes_of(Nodes)],
    [pong = net_adm:ping(Node) || Node <- nodes_of(Nodes)],
    {ok, _, Leader} = ra:members(First),
    Length = list_to_integer(Seconds) * 1000000,
    Begin = now_us(),
    Range = {Begin + ?WARM_UP, Begin + ?WARM_UP + Length},
    Value = binary:copy(<<"q">>, list_to_integer(Payload)),
    Self = self(),
    Run = run_of(Workload, Leader, list_to_integer(Window), Value, Range),
    Pids = [spawn_link(fun() -> Self ! {self(), Run(N)} end)
            || N <- lists:seq(1, list_to_integer(Clients))],
    Times = lists:sort(lists:append([receive {Pid, Mine} -> Mine end || Pid <- Pids])),
    report(Workload, Clients, Window, Payload, Length / 1000000, list_to_tuple(Times)),
    init:stop().

run_of("write", Leader, _, Value, Range) ->
    fun(N) ->
        Key = N rem ?KEYS,
        one_by_one(fun() -> {ok, ok, _} = ra:process_command(Leader, {put, Key, Value}, 10000) end, Range, [])
    end;
run_of("read", Leader, _, _, Range) ->
    fun(N) ->
        Key = N rem ?KEYS,
        Read = fun(State) -> maps:get(Key, State, none) end,
        one_by_one(fun() -> {ok, _, _} = ra:consistent_query(Leader, Read, 10000) end, Range, [])
    end;
run_of("pipeline", Leader, Window, Value, Range) ->
    fun(N) ->
        Begin = fun() -> ok = ra:pipeline_command(Leader, {put, N rem ?KEYS, Value}, now_us(), normal) end,
        [Begin() || _ <- lists:seq(1, Window)],
        piped(Begin, Range, [])
    end.

one_by_one(Ask, {_, End} = Range, Times) ->
    case now_us() of
        Begin when Begin >= End -> Times;
        Begin ->
            Ask(),
            one_by_one(Ask, Range, counted(Begin, now_us(), Range, Times))
    end.

piped(Begin, {_, End} = Range, Times) ->
    Applied = receive {ra_event, _, {applied, Some}} -> Some after 10000 -> exit(silence) end,
    Now = now_us(),
    New = lists:foldl(fun({Begun, ok}, Sum) -> counted(Begun, Now, Range, Sum) end, Times, Applied),
    case Now >= End of
        true -> New;
        false ->
            [Begin() || _ <- Applied],
            piped(Begin, Range, New)
    end.

counted(Begin, Now, {From, To}, Times) when Now >= From, Now < To -> [Now - Begin | Times];
counted(_, _, _, Times) -> Times.

now_us() -> erlang:monotonic_time(microsecond).

report(Workload, Clients, Window, Payload, Seconds, Times) ->
    At = fun(Q) -> element(1 + trunc(Q * (tuple_size(Times) - 1)), Times) end,
    io:format("{\"system\":\"ra\",\"workload\":\"~s\",\"clients\":~s,\"window\":~s,\"payload\":~s,"
              "\"groups\":1,\"members\":3,\"ops_s\":~b,\"p50_us\":~b,\"p99_us\":~b,\"p999_us\":~b,"
              "\"sync\":\"every member\"}~n",
              [Workload, Clients, Window, Payload, round(tuple_size(Times) / Seconds),
               At(0.5), At(0.99), At(0.999)]).
