# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Packs what a run's globs name in its working directory, in the attempt's folder: sh ./collect.N
# The worker appends the job's own lines behind the marker at the end. It prints the archive's size and
# the number of files. Plain files only: no link is followed, and none is packed. Its status: 3 nothing
# is named, 4 a ceiling is passed, 73 it cannot.
# Needs coreutils, GNU find and GNU tar.
umask 077
export LC_ALL=C

# As in supervisor.sh: "\\" and "\n" stand for a backslash and a newline; nothing is evaluated.
decode() {
    case $1 in
    *\\*)
        value=$(printf '%b.' "$1")
        value=${value%.}
        ;;
    *) value=$1 ;;
    esac
}

here=$(pwd)
work=. archive='' max_bytes=0 max_files=0 max_unpacked=0 found=''
set -- -false
while IFS= read -r line; do
    if [ -z "$found" ]; then
        [ "$line" = '#:job' ] && found=1
        continue
    fi
    decode "${line#* }"
    case $line in
    'work '*) work=$value ;;
    'archive '*) archive=$value ;;
    'max_bytes '*) max_bytes=$value ;;
    'max_files '*) max_files=$value ;;
    'max_unpacked '*) max_unpacked=$value ;;
    'match '*) set -- "$@" -o -regex "$value" ;;
    esac
done <"$0"
list=$here/$archive.list
trap 'rm -f -- "$list" "$list.status" "$here/${0##*/}"' EXIT

cd -- "$HOME/$work" || exit 3
find . -regextype posix-extended -path ./.sandfleet -prune -o -type f \( "$@" \) -printf '%P\0' \
    >"$list" 2>/dev/null
files=$(tr -dc '\0' <"$list" | wc -c)
[ "$files" -gt 0 ] || exit 3
[ "$files" -le "$max_files" ] || exit 4
unpacked=$(du -lcb --files0-from="$list" | tail -n 1 | cut -f 1)
[ "${unpacked:-0}" -le "$max_unpacked" ] || exit 4
# A file that changes meanwhile (1) is packed as it is.
{
    tar -cz --null --verbatim-files-from --no-recursion -T "$list" 2>/dev/null
    echo $? >"$list.status"
} | head -c "$((max_bytes + 1))" >"$here/$archive" || exit 73
bytes=$(stat -c %s -- "$here/$archive") || exit 73
[ "$bytes" -le "$max_bytes" ] || exit 4
[ "$(cat "$list.status")" -le 1 ] || exit 73
echo "$bytes $files"
exit 0
#:job
