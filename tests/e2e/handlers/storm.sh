#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# What lib/storm.js asks for, with the shell kit.
# shellcheck disable=SC2016 # what looks like a variable in single quotes is one of jq
set -u

# shellcheck source-path=SCRIPTDIR source=../../../contrib/handlers/shell/usher.sh
. "$(dirname "$0")/../../../contrib/handlers/shell/usher.sh"

stray='{"tag":"a stray reply"}'

send_steps()
{
	local step

	for ((step = 1; step <= $2; step++)); do
		usher_send "{\"step\":$step,\"tag\":$1}"
	done
	usher_finish "{\"done\":true,\"tag\":$1}"
}

steps() { send_steps "$(usher_message '.params.tag | tojson')" 3; }

flood() { send_steps "$(usher_message '.params.tag | tojson')" "$(usher_message .params.n)"; }

# The last two lines go past the kit, which drops what comes after a final.
doubled()
{
	usher_finish "$(usher_message '{n: 1, tag: .params.tag}')"
	usher_send "$stray"
	usher_finish "$stray"
	printf '{"op":"%s","id":%s,"message":%s}\n' send "$(usher_request .id)" "$stray" \
	    finish "$(usher_request .id)" "$stray" >&3
}

fail() { usher_finish "$(usher_message '{error: "Told to fail", tag: .params.tag}')"; }

crash() { usher_fail "Deliberate failure"; }

hang() { usher_watch sleep 3600; }

block() { sleep 3600; }

leave() { exit 3; }

for type in steps flood doubled fail crash hang block leave; do
	usher_handle $type $type
done
usher_run
