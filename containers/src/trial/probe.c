/* What a hostile runner would try. Listens where a runner does; each connection sends the number of a port on which the
 * host listens and 1 to be greedy as well, and gets one line for each attempt: its name, a tab, and what came of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(FILE *out, const char *name, int result) {
    fprintf(out, "%s\t%s\n", name, result < 0 ? strerror(errno) : "done");
}

static struct sockaddr_in address(in_addr_t ip, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {ip}};
    return to;
}

static in_addr_t gateway(void) {
    char line[256];
    unsigned target, hop, found = 0;
    FILE *routes = fopen("/proc/net/route", "r");
    while (routes && fgets(line, sizeof line, routes))
        if (sscanf(line, "%*s %x %x", &target, &hop) == 2 && target == 0) found = hop;
    if (routes) fclose(routes);
    return found;
}

static void network(FILE *out, int port) {
    struct sockaddr_in host = address(gateway(), port);
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    tell(out, "tcp to the host", connect(tcp, (void *)&host, sizeof host));
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    tell(out, "tcp fast open", sendto(tcp, "x", 1, MSG_FASTOPEN, (void *)&host, sizeof host));
    struct iovec text = {"x", 1};
    struct msghdr message = {.msg_name = &host, .msg_namelen = sizeof host, .msg_iov = &text, .msg_iovlen = 1};
    tell(out, "tcp fast open by message", sendmsg(tcp, &message, MSG_FASTOPEN));
    tell(out, "udp", socket(AF_INET, SOCK_DGRAM, 0));
    tell(out, "ipv6", socket(AF_INET6, SOCK_STREAM, 0));
    tell(out, "raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    tell(out, "packet", socket(AF_PACKET, SOCK_RAW, 0));
    tell(out, "unix", socket(AF_UNIX, SOCK_STREAM, 0));
    tell(out, "netlink", socket(AF_NETLINK, SOCK_RAW, 0));
}

static void rights(FILE *out) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10) || !strncmp(line, "Seccomp:", 8)) {
            *strchr(line, ':') = ' ';
            fputs(line, out);
        }
    }
    if (status) fclose(status);
    fprintf(out, "user\t%d\n", getuid());
    tell(out, "become root", setuid(0));
    tell(out, "new user namespace", unshare(CLONE_NEWUSER));
    tell(out, "mount", mount("none", "/proc", "tmpfs", 0, 0));
    tell(out, "write to /", open("/x", O_CREAT | O_WRONLY, 0600));
    tell(out, "write to /dev/shm", open("/dev/shm/x", O_CREAT | O_WRONLY, 0600));
}

static void hunger(FILE *out) {
    fflush(out);
    pid_t child = fork();
    if (child == 0) {
        for (int mib = 0; mib < 2048; mib++) memset(malloc(1 << 20), 1, 1 << 20);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    fprintf(out, "2 GiB of memory\t%s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "done");
    fflush(out);
    int count = 0;
    while (count < 4096 && (child = fork()) > 0) count++;
    if (child == 0) {
        pause();
        _exit(0);
    }
    fprintf(out, "4096 processes\t%s\n", count < 4096 ? strerror(errno) : "done");
    fprintf(out, "processes\t%d\n", count);
}

int main(void) {
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = address(INADDR_ANY, 7000);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 8)) return 1;
    puts("listening on port 7000");
    fflush(stdout);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) continue;
        FILE *in = fdopen(peer, "r"), *out = fdopen(dup(peer), "w");
        int port = 0, greedy = 0;
        if (fscanf(in, "%d %d", &port, &greedy) == 2) {
            network(out, port);
            rights(out);
            if (greedy) hunger(out);
            fputs("end\tdone\n", out);
        }
        fclose(out);
        fclose(in);
        kill(0, SIGKILL);
    }
}
