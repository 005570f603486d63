# shellcheck shell=bash
# SPDX-License-Identifier: ISC
#
# Handlers for usher in shell: the handler protocol, version 1, for bash 4 with jq.
#
#	. ./usher.sh
#
#	hello() { usher_finish '{"text":"Hello"}'; }
#
#	usher_handle hello hello
#	usher_run
#
# usherd starts the script and talks to it on the descriptor named in USHER_FD, never
# on stdout, so echo is harmless and ends in the daemon's log.  Without USHER_FD the
# script reads requests from stdin and writes replies to stdout, and echo goes to
# stderr.  The protocol itself is described in usher-handler(7).
#
# While a handler runs, lines of the daemon are read only when it asks or waits
# (usher_is_cancelled, usher_wait_cancelled, usher_watch, usher_call); what they say of the
# running request is done at once, all else waits in a queue.

# shellcheck disable=SC2016 # what looks like a variable in single quotes is one of jq

declare -A _usher_handlers=()	# "t:" and a type: its function
_usher_types=()
_usher_queue=()			# lines that wait for the end of the request
_usher_replies=()		# "CALL FINISHED MESSAGE": replies to calls of this request
_usher_line=			# of the request being served
_usher_id=			# its id, empty if there is none
_usher_session='{}'
_usher_secret='[]'
_usher_session_before='{}'
_usher_secret_before='[]'
_usher_is_open=no		# it waits for its final reply
_usher_is_cancelled=no
_usher_is_stopping=no
_usher_is_ended=no		# end of file was read
_usher_is_daemon=no		# else a try by hand
_usher_in=
_usher_out=
_usher_depth=			# of the shell that serves
_usher_last_call=0
_usher_is_final=		# was usher_reply the last one?

# The small members of the line that was parsed last; those its op does not have are old.
_usher_got_object=no
_usher_got_op=
_usher_got_id=
_usher_got_type=
_usher_got_application=
_usher_got_session=
_usher_got_secret=
_usher_got_reply=
_usher_got_protocol=

# usher_handle TYPE FUNCTION: the function serves messages of that type.
usher_handle()
{
	[ -n "${_usher_handlers["t:$1"]:-}" ] || _usher_types+=("$1")
	_usher_handlers["t:$1"]=$2
}

# usher_run: serves requests until the daemon says stop or closes the connection.
usher_run()
{
	local line

	_usher_depth=$BASH_SUBSHELL
	_usher_connect
	trap _usher_on_exit EXIT
	while [ $_usher_is_stopping = no ] && _usher_next_line line; do
		_usher_serve "$line"
	done
}

# usher_message [JQ-OPTION]... FILTER: asks the client's message; a string is printed plain.
usher_message()
{
	printf '%s\n' "$_usher_line" | jq -rc "${@:1:$#-1}" ".message | ${!#}"
}

# usher_request [JQ-OPTION]... FILTER: the same for all that came: .client, .deadline_ms, ...
usher_request()
{
	printf '%s\n' "$_usher_line" | jq -rc "$@"
}

# usher_session [JQ-OPTION]... FILTER: the same for the session.
usher_session()
{
	printf '%s\n' "$_usher_session" | jq -rc "$@"
}

# usher_session_set [JQ-OPTION]... FILTER: the session becomes what the filter makes of it.
usher_session_set()
{
	local after

	_usher_is_here usher_session_set || return
	after=$(printf '%s\n' "$_usher_session" | jq -c "$@") || return
	_usher_session=$after
}

# usher_make_secret NAME: from now on the value of that name is encrypted in the token.
usher_make_secret()
{
	_usher_is_here usher_make_secret || return
	_usher_secret=$(printf '%s\n' "$_usher_secret" | jq -c --arg n "$1" '. - [$n] + [$n]')
}

usher_make_public()
{
	_usher_is_here usher_make_public || return
	_usher_secret=$(printf '%s\n' "$_usher_secret" | jq -c --arg n "$1" '. - [$n]')
}

usher_is_secret()
{
	printf '%s\n' "$_usher_secret" | jq -e --arg n "$1" 'any(. == $n)' >/dev/null
}

# usher_send JSON [TYPE]: an intermediate reply, any number; under another type if given.
usher_send()
{
	[ $_usher_is_open = yes ] || return 0
	printf '%s\n' "$1" | _usher_write 1 '
		{op: "send", id: $id, message: .[0]} + if $type == "" then {} else {$type} end
	    ' --arg type "${2:-}" || _usher_fail_bad
}

# usher_finish JSON: the final reply, once; the session goes along if it was changed.
usher_finish()
{
	_usher_is_here usher_finish || return
	[ $_usher_is_open = yes ] || return 0
	# The handler's text comes last, so that no half of a text can take in another.
	printf '%s\n' "$_usher_session_before" "$_usher_secret_before" "$_usher_session" \
	    "$_usher_secret" "$1" | _usher_write 5 '
		def names($session): map(select(. as $name | $session | has($name)));
		.[0] as $before | .[2] as $session | (.[3] | names($session)) as $secret
		| {op: "finish", id: $id, message: .[4]}
		+ if $session == $before and $secret == (.[1] | names($before)) then {}
		  else {$session, $secret} end
	    ' || { _usher_fail_bad; return; }
	_usher_is_open=no
}

# usher_fail TEXT: the handler could not do its work.
usher_fail()
{
	_usher_is_here usher_fail || return
	_usher_fail handler_error "$1"
}

# usher_refuse TEXT: finishes with {"error": TEXT}, an answer like any other.
usher_refuse()
{
	usher_finish "$(jq -nc --arg text "$1" '{error: $text}')"
}

# usher_is_cancelled: true when nobody waits for the answer any more.
usher_is_cancelled()
{
	local line

	_usher_is_here usher_is_cancelled || return
	while [ $_usher_is_ended = no ] && read -r -t 0 -u "$_usher_in"; do
		_usher_read line && _usher_note "$line"
	done
	# By hand the end of stdin means that nothing more will be asked, no more.
	[ $_usher_is_cancelled = yes ] || [ $_usher_is_ended$_usher_is_daemon = yesyes ]
}

# usher_wait_cancelled MILLISECONDS: sleeps, but not longer than somebody waits; true if nobody
# does any more.
usher_wait_cancelled()
{
	local left_ms=$1 nap_ms

	while ! usher_is_cancelled; do
		[ "$left_ms" -gt 0 ] || return 1
		nap_ms=$((left_ms < 100 ? left_ms : 100))
		sleep "$(printf '0.%03d' $nap_ms)"
		left_ms=$((left_ms - nap_ms))
	done
}

# usher_watch PROGRAM [ARGUMENT]...: runs a program and gives its status; if the request is
# cancelled meanwhile the program gets SIGTERM.
usher_watch()
{
	local pid

	_usher_is_here usher_watch || return
	( trap - EXIT; exec {_usher_in}<&- {_usher_out}>&- "$@" ) &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		if usher_is_cancelled; then
			kill $pid 2>/dev/null
			break
		fi
		sleep 0.1
	done
	wait $pid
}

# usher_call APPLICATION TYPE JSON [FUNCTION]: asks another service with the session of the
# request and waits; the final reply is in usher_reply.  The function is called with each
# intermediate one.  False if the request was cancelled meanwhile.
usher_call()
{
	local call line

	_usher_is_here usher_call || return
	usher_reply=
	call=$((++_usher_last_call))
	printf '%s\n' "$3" | _usher_write 1 '
		if .[0] | type == "object" then
		    {op: "call", id: $id, call: $call, application: $app, type: $type, message: .[0]}
		else error("no object") end
	    ' --argjson call $call --arg app "$1" --arg type "$2" || { _usher_fail_bad; return 1; }
	while [ $_usher_is_cancelled = no ]; do
		if _usher_take_reply $call; then
			[ "$_usher_is_final" = no ] || return 0
			[ -z "${4:-}" ] || "$4" "$usher_reply"
		else
			_usher_read line || exit 0	# the daemon is gone
			_usher_note "$line"
		fi
	done
	return 1
}

# usher_push socket|application NAME TYPE JSON, usher_push all TYPE JSON: a message nobody
# asked for, to a browser's connection, to all of an application, or to all.
usher_push()
{
	local to=$1 name=

	shift
	[ "$to" = all ] || { name=$1; shift; }
	printf '%s\n' "$2" | _usher_write 1 '
		{op: "push", to: {($to): (if $to == "all" then true else $name end)}, $type,
		    message: .[0]}
	    ' --arg to "$to" --arg name "$name" --arg type "$1" ||
		echo "usher: what is pushed as $1 is no JSON" >&2
}

# usher_log error|warn|info|debug TEXT: to the daemon's log, with the request it is about.
usher_log()
{
	_usher_write 0 '{op: "log", $level, $text} + if $id == null then {} else {$id} end' \
	    --arg level "$1" --arg text "$2" </dev/null
}

# Takes the connection away from where programs of a handler would read and print.
_usher_connect()
{
	if [ -z "${USHER_FD+set}" ]; then
		exec {_usher_in}<&0 {_usher_out}>&1 </dev/null 1>&2
		return
	fi
	if [[ ! $USHER_FD =~ ^[0-9]+$ ]] || ! { true >&"$USHER_FD"; } 2>/dev/null; then
		echo "usher: USHER_FD=$USHER_FD: no connection" >&2
		exit 1
	fi
	_usher_in=$USHER_FD
	_usher_out=$USHER_FD
	_usher_is_daemon=yes
	unset USHER_FD		# children of a handler are no workers
	trap '' INT		# what is to end is for the daemon to say
}

# _usher_write N FILTER [JQ-OPTION]...: turns the N values on stdin into a line for the daemon.
_usher_write()
{
	local n=$1 filter=$2 status

	shift 2
	jq -cs "if length == $n then $filter else error(\"no JSON\") end" \
	    --argjson id "${_usher_id:-null}" "$@" 1>&"$_usher_out" 2>/dev/null
	status=$?
	[ $status -ne 141 ] || return 0	# SIGPIPE: the daemon is gone, as the next read will find
	return $status
}

# What the handler gave for an answer is no JSON.
_usher_fail_bad()
{
	echo "usher: the answer of a handler is no JSON" >&2
	_usher_fail handler_error "the handler's answer is no JSON"
	return 1
}

# _usher_fail CODE TEXT
_usher_fail()
{
	[ $_usher_is_open = yes ] || return 0
	_usher_is_open=no
	_usher_write 0 '{op: "fail", $id, $code, error: $text}' --arg code "$1" --arg text "$2" \
	    </dev/null
}

# What a subshell or a piece of a pipeline notes is lost when it ends.
_usher_is_here()
{
	[ "$BASH_SUBSHELL" = "$_usher_depth" ] && return
	echo "usher: $1 works in the handler itself only, not in a subshell or pipeline" >&2
	return 1
}

# The script exits from inside a handler.
_usher_on_exit()
{
	local status=$?

	[ $_usher_is_open = yes ] || return
	_usher_write 1 '{op: "unready", reason: "the handler exits"}' <<< 0
	_usher_fail handler_error "the handler exited with status $status"
}

# _usher_read VARIABLE: a line of the daemon; what has no end of line at the end is no line.
_usher_read()
{
	IFS= read -r -u "$_usher_in" "$1" && return
	_usher_is_ended=yes
	return 1
}

# _usher_next_line VARIABLE: the next line to serve.
_usher_next_line()
{
	if [ ${#_usher_queue[@]} -gt 0 ]; then
		printf -v "$1" %s "${_usher_queue[0]}"
		_usher_queue=("${_usher_queue[@]:1}")
	else
		[ $_usher_is_ended = no ] && _usher_read "$1"
	fi
}

# _usher_parse LINE: its small members into _usher_got_*; a type with a NUL gets another
# character there, since no variable can hold one.
_usher_parse()
{
	local assignments

	# Starting jq takes longer than all that is done for such a line.
	if [ "$1" = '{"op":"stop"}' ] || [ "$1" = '{"op":"ping"}' ]; then
		_usher_got_op=${1:7:4}
		return
	fi
	assignments=$(printf '%s\n' "$1" | jq -r '
		def plain: tostring | split("\u0000") | join("\ufffd");
		if type == "object" then . else error("no object") end |
		"_usher_got_object=yes",
		"_usher_got_op=\(.op | plain | @sh)",
		"_usher_got_id=\(.id | tojson | @sh)",
		(if .op == "request" then
			"_usher_got_type=\(.type | plain | @sh)",
			"_usher_got_application=\(.application | plain | @sh)",
			"_usher_got_session=\(.session // {} | tojson | @sh)",
			"_usher_got_secret=\(.secret // [] | tojson | @sh)"
		elif .op == "reply" then
			"_usher_got_reply=\("\(.call) \(if .finished == false then "no" else "yes" end)"
			    + " \(.message | tojson)" | @sh)"
		elif .op == "hello" then
			"_usher_got_protocol=\(.protocol | plain | @sh)"
		else empty end)' 2>/dev/null) || return
	_usher_got_object=no
	eval "$assignments"
	[ $_usher_got_object = yes ]	# an empty line has none
}

# _usher_serve LINE: nothing runs, so it is served now.
_usher_serve()
{
	if ! _usher_parse "$1"; then
		_usher_serve_unreadable "$1"
		return
	fi
	case $_usher_got_op in
	hello)		_usher_on_hello ;;
	request)	_usher_on_request "$1" ;;
	cancel | reply)	;;	# of a request that is over
	stop)		_usher_is_stopping=yes ;;
	ping)		_usher_write 0 '{op: "pong"}' </dev/null ;;
	*)		echo "usher: op ${_usher_got_op:0:40} is not known, ignored" >&2 ;;
	esac
}

# jq refuses some texts that are JSON, such as half a surrogate pair: such a request fails.
_usher_serve_unreadable()
{
	if [[ $1 =~ ^\{\"op\":\"request\",\"id\":([0-9]+), ]]; then
		_usher_id=${BASH_REMATCH[1]}
		_usher_is_open=yes
		_usher_fail handler_error "jq cannot read the message"
		_usher_id=
	else
		echo "usher: the daemon's line is no JSON object" >&2
		exit 1
	fi
}

# _usher_note LINE: a handler runs; what is not for it waits.
_usher_note()
{
	if ! _usher_parse "$1"; then
		_usher_queue+=("$1")
		return
	fi
	case $_usher_got_op in
	cancel)	[ "$_usher_got_id" != "$_usher_id" ] || _usher_is_cancelled=yes ;;
	reply)	_usher_replies+=("$_usher_got_reply") ;;
	stop)	_usher_is_stopping=yes ;;
	ping)	_usher_write 0 '{op: "pong"}' </dev/null ;;
	*)	_usher_queue+=("$1") ;;
	esac
}

# _usher_take_reply CALL: the next reply to it into usher_reply; false if there is none.
_usher_take_reply()
{
	local i final

	for i in "${!_usher_replies[@]}"; do
		[ "${_usher_replies[i]%% *}" = "$1" ] || continue
		final=${_usher_replies[i]#* }
		_usher_is_final=${final%% *}
		usher_reply=${final#* }
		unset "_usher_replies[i]"
		return 0
	done
	return 1
}

_usher_on_hello()
{
	if [ "$_usher_got_protocol" != 1 ]; then
		echo "usher: the daemon speaks version $_usher_got_protocol of the handler" \
		    "protocol, this kit 1" >&2
		exit 1
	fi
	_usher_write 0 '{op: "ready", types: $ARGS.positional, cancel: true, kit: "shell/1"}' \
	    --args -- ${_usher_types[@]+"${_usher_types[@]}"} </dev/null
}

_usher_on_request()
{
	local handler=${_usher_handlers["t:$_usher_got_type"]:-} status=0

	_usher_line=$1
	_usher_id=$_usher_got_id
	_usher_session=$_usher_got_session
	_usher_session_before=$_usher_session
	_usher_secret=$_usher_got_secret
	_usher_secret_before=$_usher_secret
	_usher_is_open=yes
	_usher_is_cancelled=no
	_usher_replies=()
	if [ -z "$handler" ]; then
		_usher_fail no_handler "Handler not defined for $_usher_got_application messages of type\
 $_usher_got_type"
	else
		"$handler" </dev/null || status=$?
		if [ $_usher_is_cancelled = yes ]; then
			_usher_fail handler_error cancelled
		elif [ $status -ne 0 ]; then
			_usher_fail handler_error "the handler returned $status"
		else
			_usher_fail handler_error "the handler returned without an answer"
		fi
	fi
	_usher_id=
	_usher_line=
}
