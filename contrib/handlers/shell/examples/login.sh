#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The login example: what a user may see, what only nodes may see, intermediate replies.

# shellcheck disable=SC2016 # $name and $secret are variables of jq
# shellcheck source-path=SCRIPTDIR source=../usher.sh
. "$(dirname "$0")/../usher.sh"

# Hands the client's tag back, so that it can tell its requests apart.
with_tag='(.params | if type == "object" and has("tag") then {tag} else {} end)'

login()
{
	if usher_session -e '.authenticated' >/dev/null; then
		usher_refuse "Already logged in"
	elif ! usher_message -e '.params | type == "object" and .username == "rob"
	    and .password == "secret"' >/dev/null; then
		usher_refuse "Invalid login attempt"
	else
		usher_session_set --arg name "$(usher_message .params.username)" '
			.authenticated = true
			| .timeout = 1200
			| .userText = "Welcome Rob"	# the browser can read it in its token
			| .username = $name'
		usher_make_secret username	# encrypted: for handlers only
		usher_finish '{"ok":true}'
	fi
}

whoami()
{
	local is_secret=false

	usher_is_secret username && is_secret=true
	usher_finish "$(usher_session --argjson secret $is_secret '
		{application, authenticated: (if .authenticated then true else false end),
		    username, userText, timeout, secretUsername: $secret}')"
}

steps()
{
	local gap_ms step

	gap_ms=$(usher_message '.params | objects | .gap | numbers')
	for step in 1 2 3; do
		usher_send "$(usher_message --argjson step $step "{\$step, of: 3} + $with_tag")"
		[ -z "$gap_ms" ] || sleep "$(jq -n "$gap_ms / 1000")"
	done
	usher_finish "$(usher_message "{done: true} + $with_tag")"
}

echo_back()
{
	usher_finish "$(usher_message "{echo: .params} + $with_tag")"
}

usher_handle login login
usher_handle whoami whoami
usher_handle steps steps
usher_handle echo echo_back
usher_run
