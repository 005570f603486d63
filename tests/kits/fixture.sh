#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The types of tests/kits/conformance.test.mjs for the shell kit; fixture.c has the same.
# shellcheck disable=SC2016 # what looks like a variable in single quotes is one of jq
set -u

# shellcheck source-path=SCRIPTDIR source=../../contrib/handlers/shell/usher.sh
. "$(dirname "$0")/../../contrib/handlers/shell/usher.sh"

crash() { usher_fail "Deliberate failure"; }

silent() { :; }

prints()
{
	echo "printed by a handler"
	echo '{"op":"finish","id":1,"message":"not this one"}'
	echo "printed as an error" >&2
	usher_finish '{"ok":true}'
}

twice()
{
	usher_send '{"pct":50}' progress
	echo '{}' | while read -r line; do usher_send "$line"; done
	usher_finish $'[1,\r\n 2,\n 3]'
	usher_finish '{"second":true}'
	usher_send '{"late":true}'
	usher_fail "too late"
}

bad_json() { usher_finish "$(usher_message '.params.json')"; }

refuse() { usher_refuse 'Told to "fail"'; }

change()
{
	usher_session_set --arg user $'anna \u00e9 "\\\n' '
		.user = $user | .half = 0.5 | .list = [1, {a: null}] | del(.color) | del(.absent)'
	usher_make_secret user
	usher_make_secret never
	usher_make_public authenticated
	usher_finish '{}'
}

show()
{
	local is_secret=false

	usher_is_secret user && is_secret=true
	usher_finish "$(usher_session --argjson secret $is_secret \
	    --arg address "$(usher_request .client.address)" '
		{user, list, isSecret: $secret, hasColor: has("color"), address: $address}')"
}

ask()
{
	if usher_call other thing '{"n":1}' usher_send; then
		usher_finish "$usher_reply"
	else
		usher_fail "gave up"
	fi
}

push()
{
	usher_push socket socket-1 news '{"n":1}'
	usher_push application test-app news '{"n":2}'
	usher_push all news '{"n":3}'
	usher_log warn "pushed 3"
	usher_finish '{"ok":true}'
}

leave() { exit 3; }

# What only shell has: a status, a pipeline that cannot finish, a program that is watched.
status() { false; }

pipeline()
{
	echo x | while read -r _; do usher_finish '{"from":"a pipeline"}'; done
	usher_finish '{"from":"the handler"}'
}

watch() { usher_watch sleep 30; }

usher_handle crash crash
usher_handle silent silent
usher_handle print prints
usher_handle twice twice
usher_handle badJson bad_json
usher_handle refuse refuse
usher_handle change change
usher_handle show show
usher_handle ask ask
usher_handle push push
usher_handle exit leave
usher_handle status status
usher_handle pipeline pipeline
usher_handle watch watch
usher_run
