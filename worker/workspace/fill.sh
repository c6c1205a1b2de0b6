# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Fills a run's working directory, in the attempt's folder: sh ./fill.N
# The worker appends the job's own lines behind the marker at the end. Whoever has the lock does it;
# done once, or with an agent started, it is not done again: an owner that comes late, and one that
# was thought dead, change nothing. It says why it failed in the last line of its output, and by its
# status: 10 the request's fault, 11 the repository's, 73 the sandbox's.
# Needs coreutils, util-linux and tar; for a repository git.
umask 022

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

fail() {
    rm -rf -- tree unpacked
    echo "$2"
    exit "$1"
}

# The last line of what a program complained, as the reason; a full disk is the sandbox's fault.
blame() {
    if grep -q 'No space left on device' complaints; then
        fail 73 'the disk is full'
    fi
    fail "$1" "$2: $(tail -n 1 complaints | tr -d '\000-\037\177' | cut -c 1-150)"
}

# No prompt, no hook, no template, no submodule; no protocol but the job's.
quiet_git() {
    timeout -k 5 "$limit" env GIT_TERMINAL_PROMPT=0 "GIT_ALLOW_PROTOCOL=$protocols" \
        git -c core.hooksPath=/dev/null -c core.askPass=true -c gc.auto=0 -c maintenance.auto=false \
        -c advice.detachedHead=false "$@" </dev/null >/dev/null 2>complaints
}

is_commit() {
    [ ${#1} = 40 ] && case $1 in *[!0-9a-f]*) false ;; esac
}

# A commit's name can be fetched, but not cloned.
clone_to() {
    if is_commit "$ref"; then
        quiet_git init -q --template= -- "$1" && quiet_git -C "$1" remote add origin "$repo" &&
            quiet_git -C "$1" fetch -q --no-tags ${shallow:+"$shallow"} origin "$ref" &&
            quiet_git -C "$1" checkout -q --detach FETCH_HEAD
    else
        quiet_git clone -q --template= ${shallow:+"$shallow"} ${ref:+"--branch=$ref"} -- "$repo" "$1"
    fi
}

clone() {
    command -v git >/dev/null || fail 10 'repo: there is no git in this template'
    shallow=''
    [ "$depth" = 0 ] || shallow=--depth=$depth
    mkdir -p -- "$1"
    if ! clone_to "$1"; then
        [ -s complaints ] || echo "no end in $limit s" >complaints
        blame 11 repo
    fi
}

# Never through a link that stands there.
put() {
    rmdir -- "$2" 2>/dev/null
    if [ -e "$2" ] || [ -L "$2" ]; then
        cp -a --remove-destination -- "$1/." "$2/"
    else
        mkdir -p -- "${2%/*}" && mv -T -- "$1" "$2"
    fi
}

merge() {
    put "$@" 2>complaints || blame 10 'cannot be put together'
}

fresh() {
    { rm -rf -- "$1" && mkdir -- "$1"; } || fail 73 'cannot make a folder'
}

unpack() {
    fresh unpacked
    tar -x "$@" --no-same-owner --no-same-permissions -C unpacked 2>complaints || blame 10 archive
    merge unpacked ./tree
}

fill() {
    fresh tree
    [ -z "$repo" ] || clone "tree${subdir:+/$subdir}"
    [ -z "$archive" ] || unpack -z "--strip-components=$strip" -f "$archive"
    [ -z "$files" ] || unpack -f "$files"
    target=$HOME/$work
    [ -z "$repo" ] || rm -rf -- "$target${subdir:+/$subdir}/.git"
    merge tree "$target"
    : >filled || fail 73 'cannot say that it is done'
    rm -rf tree unpacked complaints
}

limit=60 work=. protocols='' repo='' ref='' depth=1 subdir='' archive='' strip=0 files='' found=''
while IFS= read -r line; do
    if [ -z "$found" ]; then
        [ "$line" = '#:job' ] && found=1
        continue
    fi
    decode "${line#* }"
    case $line in
    'limit '*) limit=$value ;;
    'work '*) work=$value ;;
    'protocols '*) protocols=$value ;;
    'repo '*) repo=$value ;;
    'ref '*) ref=$value ;;
    'depth '*) depth=$value ;;
    'subdir '*) subdir=$value ;;
    'archive '*) archive=$value ;;
    'strip '*) strip=$value ;;
    'files '*) files=$value ;;
    esac
done <"$0"

exec 9>lock
flock -w "$limit" 9 || fail 73 'another one is at it'
if [ ! -d started ] && [ ! -e filled ]; then
    fill
fi
rm -f -- ${archive:+"$archive"} ${files:+"$files"} "$0"
exit 0
#:job
