#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The types of ../table.mjs for the shell kit; table.js has the same.
# shellcheck disable=SC2016 # what looks like a variable in single quotes is one of jq
set -u

# shellcheck source-path=SCRIPTDIR source=../../../contrib/handlers/shell/usher.sh
. "$(dirname "$0")/../../../contrib/handlers/shell/usher.sh"

progress()
{
	usher_send '{"pct":50}' progressed
	usher_send '{"pct":100}'
	usher_finish '{"done":true}'
}

list() { usher_finish '[1,[],{"a":null}]'; }

nothing()
{
	usher_send '{}'
	usher_finish '{}'
}

refuse() { usher_finish '{"error":"Told to fail","status":{"code":418}}'; }

crash() { usher_fail "Deliberate failure"; }

crash_after_send()
{
	usher_session_set '.color = "blue"'
	usher_send '{"step":1}'
	usher_fail "Deliberate failure"
}

twice()
{
	usher_finish '{"n":1}'
	usher_send '{"n":2}'
	usher_finish '{"n":3}'
}

show()
{
	local is_secret=false

	usher_is_secret user && is_secret=true
	usher_finish "$(usher_session --argjson secret $is_secret \
	    '{user, color, list, isSecret: $secret}')"
}

change()
{
	usher_session_set --arg user $'anna \303\251 "\\\n \360\237\230\200' '
		.user = $user | .color = "red" | .list = [1, {a: null, b: 0.5}]'
	usher_make_secret user
	usher_finish '{"ok":true}'
}

change_inside()
{
	usher_session_set '.list += ["more"]'
	usher_finish '{"ok":true}'
}

change_refused()
{
	usher_session_set '.color = "green"'
	usher_refuse "Told to fail"
}

publish()
{
	local is_secret=false

	usher_make_public user
	usher_is_secret user && is_secret=true
	usher_finish "{\"isSecret\":$is_secret}"
}

forget()
{
	usher_session_set 'del(.color)'
	usher_finish '{"ok":true}'
}

lengthen()
{
	usher_session_set '.timeout = 900 | .authenticated = true'
	usher_finish '{"ok":true}'
}

usher_handle progress progress
usher_handle list list
usher_handle nothing nothing
usher_handle refuse refuse
usher_handle crash crash
usher_handle crashAfterSend crash_after_send
usher_handle twice twice
usher_handle show show
usher_handle change change
usher_handle changeInside change_inside
usher_handle changeRefused change_refused
usher_handle publish publish
usher_handle forget forget
usher_handle lengthen lengthen
usher_run
